// Package settings reads what decides how the server runs: grafana.ini, its
// defaults, and the environment.
package settings

import (
	"bufio"
	"fmt"
	"os"
	"strings"
)

// ini is section → key → value, as they stand in a file. The section of keys before
// the first header is DEFAULT.
type ini map[string]map[string]string

func (f ini) set(section, key, value string) {
	if f[section] == nil {
		f[section] = map[string]string{}
	}
	f[section][key] = value
}

// readINI reads grafana.ini with the rules of the ini library that Grafana uses: a
// comment begins with # or ; (in a value, too), and a value in backticks or three
// double quotes is taken as it is, over several lines if need be.
func readINI(path string) (ini, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	found, section := ini{}, "DEFAULT"
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for first := true; lines.Scan(); first = false {
		line := strings.TrimSpace(lines.Text())
		if first {
			line = strings.TrimPrefix(line, "\ufeff")
		}
		switch {
		case line == "" || line[0] == '#' || line[0] == ';':
			continue
		case line[0] == '[':
			end := strings.LastIndexByte(line, ']')
			if end < 0 {
				return nil, fmt.Errorf("unclosed section: %s", line)
			}
			if section = strings.TrimSpace(line[1:end]); section == "" {
				return nil, fmt.Errorf("empty section name")
			}
			continue
		}
		at := strings.IndexAny(line, "=:")
		if at < 0 {
			return nil, fmt.Errorf("key-value delimiter not found: %s", line)
		}
		key := strings.Trim(strings.TrimSpace(line[:at]), "\"`")
		if key == "" {
			return nil, fmt.Errorf("empty key name: %s", line)
		}
		value, err := readValue(strings.TrimSpace(line[at+1:]), lines)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
		found.set(section, key, value)
	}
	return found, lines.Err()
}

func readValue(text string, more *bufio.Scanner) (string, error) {
	for _, quote := range []string{`"""`, "`"} {
		if !strings.HasPrefix(text, quote) {
			continue
		}
		value := text[len(quote):]
		for {
			if end := strings.Index(value, quote); end >= 0 {
				return value[:end], nil
			}
			if !more.Scan() {
				return "", fmt.Errorf("missing closing key quote %s", quote)
			}
			value += "\n" + more.Text()
		}
	}
	for strings.HasSuffix(text, `\`) && more.Scan() {
		text = strings.TrimSuffix(text, `\`) + strings.TrimSpace(more.Text())
	}
	if at := strings.IndexAny(text, "#;"); at >= 0 {
		text = strings.TrimSpace(text[:at])
	}
	for _, quote := range []string{`"`, "'"} {
		if len(text) >= 2 && strings.HasPrefix(text, quote) && strings.HasSuffix(text, quote) &&
			!strings.Contains(text[1:len(text)-1], quote) {
			return text[1 : len(text)-1], nil
		}
	}
	return text, nil
}

// references replaces %(key)s by the value of that key, in the section or in DEFAULT.
func (f ini) references(section, value string) (string, error) {
	for range 99 {
		from := strings.Index(value, "%(")
		if from < 0 {
			return value, nil
		}
		length := strings.Index(value[from:], ")s")
		if length < 0 {
			return value, nil
		}
		key := value[from+2 : from+length]
		other, known := f[section][key]
		if !known {
			if other, known = f["DEFAULT"][key]; !known {
				return "", fmt.Errorf("%%(%s)s: there is no such key in [%s]", key, section)
			}
		}
		value = value[:from] + other + value[from+length+2:]
	}
	return "", fmt.Errorf("[%s]: keys refer to each other without an end", section)
}
