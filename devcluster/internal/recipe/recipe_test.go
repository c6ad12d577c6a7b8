package recipe

import (
	"os"
	"path/filepath"
	"testing"

	"devcluster/internal/place"
)

func TestTheHashFollowsSourcesAndFlags(t *testing.T) {
	source := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(source, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	target := Target{Name: "x", Module: ".", Programs: []Program{{".", "x"}}}
	hash := func() string {
		h, err := target.hash(source)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	write("go.mod", "module x\n")
	write("main.go", "package main\n")
	first := hash()
	if hash() != first {
		t.Error("it changed by itself")
	}
	write("notes.md", "text")
	write("main_test.go", "package main\n")
	if hash() != first {
		t.Error("it changed with what is not built")
	}
	write("main.go", "package main // edited\n")
	second := hash()
	if second == first {
		t.Error("it did not change with a source")
	}
	target.Set = map[string]string{"main.version": "1"}
	if hash() == second {
		t.Error("it did not change with a flag")
	}
}

func TestEveryTargetHasItsModule(t *testing.T) {
	source, err := place.Source()
	if err != nil {
		t.Fatal(err)
	}
	for _, target := range All {
		for _, file := range []string{"go.mod", "go.sum"} {
			if file == "go.sum" && target.Name == Pause.Name {
				continue // the standard library has none
			}
			if _, err := os.Stat(filepath.Join(source, target.Module, file)); err != nil {
				t.Errorf("%s: %v", target.Name, err)
			}
		}
		if target.Seconds == 0 || target.Packages == 0 {
			t.Errorf("%s: progress needs Seconds and Packages", target.Name)
		}
	}
}
