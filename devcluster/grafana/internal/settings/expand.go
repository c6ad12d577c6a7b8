package settings

import (
	"fmt"
	"os"
	"regexp"
	"strings"
)

var (
	provider = regexp.MustCompile(`\$__(\w+)\{([^}]*)\}`)
	braced   = regexp.MustCompile(`\$\{(\w+)\}`)
	variable = regexp.MustCompile(`\$\$|\$(\w+)`)
)

// Expand replaces $__file{path} by the file's text without white space around it,
// $__env{NAME} and ${NAME} by the variable. It is what may stand in grafana.ini.
func Expand(text string) (string, error) {
	var failed error
	text = provider.ReplaceAllStringFunc(text, func(match string) string {
		part := provider.FindStringSubmatch(match)
		switch part[1] {
		case "file":
			content, err := os.ReadFile(part[2])
			if err != nil {
				failed = fmt.Errorf("$__file{%s}: %w", part[2], err)
			}
			return strings.TrimSpace(string(content))
		case "env":
			return os.Getenv(part[2])
		default:
			failed = fmt.Errorf("there is no variable provider %q", part[1])
			return ""
		}
	})
	if failed != nil {
		return "", failed
	}
	return braced.ReplaceAllStringFunc(text, func(match string) string {
		return os.Getenv(match[2 : len(match)-1])
	}), nil
}

// ExpandProvisioned is what may stand in the values of provisioning files: $NAME
// besides, and $$ for a dollar.
func ExpandProvisioned(text string) (string, error) {
	// What comes out of a file or a variable in braces may hold dollars of its own:
	// a secret is not looked through again, a variable is.
	var secrets []string
	hidden := provider.ReplaceAllStringFunc(text, func(match string) string {
		secrets = append(secrets, match)
		return "\x00"
	})
	hidden = strings.ReplaceAll(hidden, "$$", "\x01")
	hidden = braced.ReplaceAllStringFunc(hidden, func(match string) string { return os.Getenv(match[2 : len(match)-1]) })
	hidden = variable.ReplaceAllStringFunc(hidden, func(match string) string { return os.Getenv(match[1:]) })
	hidden = strings.ReplaceAll(hidden, "\x01", "$")
	for _, secret := range secrets {
		value, err := Expand(secret)
		if err != nil {
			return "", err
		}
		hidden = strings.Replace(hidden, "\x00", value, 1)
	}
	return hidden, nil
}
