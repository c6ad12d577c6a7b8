// Package provision reads the provisioning folder: data sources once, at start, and
// dashboards again and again. What is invalid keeps the server from starting, as it
// keeps Grafana.
package provision

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"devcluster/grafana/internal/logs"
	"devcluster/grafana/internal/settings"
)

// the one organization that there is
const org = 1

// documents reads the YAML files of a folder, in the order of their names, and puts
// the values of variables in. A folder that is not there is only logged.
func documents(folder string, log *logs.Logger) ([]*yaml.Node, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		log.Error("can't read provisioning files from directory", "path", folder, "error", err)
		return nil, nil
	}
	var found []*yaml.Node
	for _, entry := range entries {
		if !slices.Contains([]string{".yaml", ".yml"}, filepath.Ext(entry.Name())) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(folder, entry.Name()))
		if err != nil {
			return nil, err
		}
		document := &yaml.Node{}
		if err := yaml.Unmarshal(text, document); err != nil {
			return nil, fmt.Errorf("%s: %w", entry.Name(), err)
		}
		if document.Kind == 0 {
			continue // nothing but comments
		}
		if err := expand(document); err != nil {
			return nil, fmt.Errorf("%s: %w", entry.Name(), err)
		}
		found = append(found, document)
	}
	return found, nil
}

// expand puts variables into values; keys stay as they are.
func expand(node *yaml.Node) error {
	if node.Kind == yaml.ScalarNode {
		if !strings.Contains(node.Value, "$") {
			return nil
		}
		value, err := settings.ExpandProvisioned(node.Value)
		node.Value, node.Tag = value, "!!str"
		return err
	}
	for i, child := range node.Content {
		if node.Kind == yaml.MappingNode && i%2 == 0 {
			continue
		}
		if err := expand(child); err != nil {
			return err
		}
	}
	return nil
}

// flag and number may come from a variable, as text.
type (
	flag   bool
	number int64
)

func (f *flag) UnmarshalYAML(node *yaml.Node) error {
	if node.Value == "" || node.Tag == "!!null" {
		return nil
	}
	var plain bool
	if err := node.Decode(&plain); err != nil {
		if plain, err = strconv.ParseBool(node.Value); err != nil {
			return fmt.Errorf("line %d: %q is neither true nor false", node.Line, node.Value)
		}
	}
	*f = flag(plain)
	return nil
}

func (n *number) UnmarshalYAML(node *yaml.Node) error {
	if node.Value == "" || node.Tag == "!!null" {
		return nil
	}
	plain, err := strconv.ParseInt(node.Value, 10, 64)
	if err != nil {
		return fmt.Errorf("line %d: %q is no number", node.Line, node.Value)
	}
	*n = number(plain)
	return nil
}

// checkOrg refuses organizations that nobody has made; 0 is the first.
func checkOrg(id number) error {
	if id != 0 && id != org {
		return fmt.Errorf("organization %d: org not found", id)
	}
	return nil
}

// Others reads what this server does nothing with, since a file that is no YAML
// keeps Grafana from starting.
func Others(folder string, log *logs.Log) error {
	for _, name := range []string{"plugins", "alerting"} {
		if _, err := documents(filepath.Join(folder, name), log.Logger("provisioning."+name)); err != nil {
			return fmt.Errorf("%s provisioning error: %w", name, err)
		}
	}
	return nil
}
