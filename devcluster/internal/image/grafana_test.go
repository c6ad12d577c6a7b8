package image

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"devcluster/internal/place"
	"devcluster/internal/recipe"
)

func TestTheImageThatPlaysGrafanaIsTheOneOfTheChart(t *testing.T) {
	source, err := place.Source()
	if err != nil {
		t.Fatal(err)
	}
	values, err := os.ReadFile(filepath.Join(source, "..", "charts", "grafana", "values.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	// The first of each are those of the image.
	said := func(key string) string {
		match := regexp.MustCompile(`(?m)^  ` + key + `: (\S+)$`).FindSubmatch(values)
		if match == nil {
			t.Fatalf("values.yaml has no %s", key)
		}
		return string(match[1])
	}
	if want := said("registry") + "/" + said("repository") + ":" + said("tag"); grafana.Name != want {
		t.Errorf("it is %s, and the chart's is %s", grafana.Name, want)
	}
	if recipe.Grafana.Version != said("tag") {
		t.Errorf("the server plays %s, and the chart has %s", recipe.Grafana.Version, said("tag"))
	}
	settings, err := os.ReadFile(filepath.Join(source, "grafana", "internal", "settings", "settings.go"))
	if err != nil || !regexp.MustCompile(`const Version = "`+regexp.QuoteMeta(said("tag"))+`"`).Match(settings) {
		t.Errorf("the server says another version (%v)", err)
	}
}

func TestAnExtraImageTakesThePlaceOfOneOfTheSameName(t *testing.T) {
	folder := t.TempDir()
	for _, example := range []struct{ file, name, full string }{
		{"short.tar", "grafana/grafana:13.2.0", "docker.io/grafana/grafana:13.2.0"},
		{"long.tar", "quay.io/prometheus/prometheus:v3", "quay.io/prometheus/prometheus:v3"},
		{"library.tar", "busybox:1", "docker.io/library/busybox:1"},
		{"port.tar", "localhost:5000/a:1", "localhost:5000/a:1"},
	} {
		file := filepath.Join(folder, example.file)
		if err := write(file, example.name, []File{{Path: "/x", Text: "x"}}, Config{}); err != nil {
			t.Fatal(err)
		}
		_, names, err := extras(folder)
		if err != nil || names[example.full] != file {
			t.Errorf("%s is not found as %s: %v (%v)", example.name, example.full, names, err)
		}
	}
	if err := os.WriteFile(filepath.Join(folder, "broken.tar"), []byte("no tar"), 0o600); err != nil {
		t.Fatal(err)
	}
	if archives, names, err := extras(folder); err != nil || len(archives) != 5 || len(names) != 4 {
		t.Errorf("%d archives, %v (%v)", len(archives), names, err)
	}
}
