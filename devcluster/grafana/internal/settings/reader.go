package settings

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// environment lets variables replace the values of keys.
func (f ini) environment() error {
	underscores := strings.NewReplacer(".", "_", "-", "_")
	for section, entries := range f {
		for key := range entries {
			name := "GF_" + strings.ToUpper(underscores.Replace(section+"_"+key))
			file := os.Getenv(name + "__FILE")
			value := os.Getenv(name)
			switch {
			case file != "" && value != "":
				return fmt.Errorf("both %s and %s__FILE are set (but are exclusive)", name, name)
			case file != "":
				text, err := os.ReadFile(file)
				if err != nil {
					return fmt.Errorf("%s__FILE: %w", name, err)
				}
				entries[key] = strings.TrimRight(string(text), "\n")
			case value != "":
				entries[key] = value
			}
		}
	}
	return nil
}

// reader gives the values of keys, named section.key, in their types, and remembers
// those that have another.
type reader struct {
	ini
	err error
}

func (r *reader) text(name string) string {
	at := strings.LastIndexByte(name, '.')
	return r.ini[name[:at]][name[at+1:]]
}

func (r *reader) flag(name string) bool {
	switch strings.ToLower(r.text(name)) {
	case "1", "t", "true", "yes", "y", "on":
		return true
	case "0", "f", "false", "no", "n", "off", "":
		return false
	}
	r.err = errors.Join(r.err, fmt.Errorf("%s: %q is neither true nor false", name, r.text(name)))
	return false
}

func (r *reader) number(name string) int {
	number, err := strconv.Atoi(r.text(name))
	if err != nil {
		r.err = errors.Join(r.err, fmt.Errorf("%s: %q is no number", name, r.text(name)))
	}
	return number
}
