// Dashboards writes the stack's dashboards as JSON: `go run . FOLDER`. The same sources give the same
// bytes. scripts/dashboards calls it for charts/grafana/files/dashboards; a test compares the two.
//
// A file here is a dashboard or a part of the house style (style.go, panels.go), which says once what
// colours, units, legends and empty panels look like.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

// The dashboards by the names of their files. Uids last: bookmarks and links are made of them.
var all = []struct {
	file  string
	build func() *board
}{
	{"app", app},
	{"logs", logView},
	{"cluster", cluster},
	{"workloads", workloads},
	{"pods", pods},
	{"nodes", nodes},
	{"postgres", postgres},
	{"redis", redis},
	{"probes", probes},
	{"alerts", alerts},
	{"stack", stack},
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: go run . FOLDER")
		os.Exit(2)
	}
	if err := write(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func write(folder string) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	for _, one := range all {
		built, err := one.build().Build()
		if err != nil {
			return fmt.Errorf("%s: %w", one.file, err)
		}
		for i := range built.Links {
			// beside the variables, where people see it, rather than in a menu
			built.Links[i].Placement = nil
		}
		text, err := encoded(built)
		if err != nil {
			return fmt.Errorf("%s: %w", one.file, err)
		}
		if err := os.WriteFile(filepath.Join(folder, one.file+".json"), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// encoded is JSON that a person can read in a diff: PromQL's < and > as they are.
func encoded(built dashboard.Dashboard) ([]byte, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", " ")
	err := encoder.Encode(built)
	// the SDK's own types escape them all the same
	readable := strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(text.String())
	return []byte(readable), err
}
