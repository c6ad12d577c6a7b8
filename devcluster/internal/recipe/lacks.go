package recipe

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"

	"devcluster/internal/talk"
)

// complete copies the module that lacks files into a folder, adds them, and gives
// a go.mod that uses the copy; "" for a target that lacks nothing. (An overlay would
// do without the copy, but go refuses one below its module cache.)
func (t Target) complete(source, folder string) (modfile string, err error) {
	if t.Lacks.Module == "" {
		return "", nil
	}
	if err := os.RemoveAll(folder); err != nil {
		return "", err
	}
	module := filepath.Join(source, t.Module)
	fetch := exec.Command("go", "mod", "download", "-json", t.Lacks.Module)
	fetch.Dir, fetch.Env = module, append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off")
	out, err := fetch.Output()
	var found struct{ Dir, Error string }
	if decode := json.Unmarshal(out, &found); decode != nil || found.Dir == "" {
		return "", talk.Failf("cannot fetch the source of %s: %s: %w", t.Name, found.Error, errors.Join(err, decode))
	}
	complete := filepath.Join(folder, "module")
	if err := os.CopyFS(complete, os.DirFS(found.Dir)); err != nil {
		return "", err
	}
	for path, content := range t.Lacks.Files {
		file := filepath.Join(complete, path)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return "", err
		}
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			return "", err
		}
	}
	modfile = filepath.Join(folder, "go.mod")
	for _, name := range []string{"go.mod", "go.sum"} {
		content, err := os.ReadFile(filepath.Join(module, name))
		if err != nil {
			return "", err
		}
		if name == "go.mod" {
			content = append(content, "\nreplace "+t.Lacks.Module+" => "+complete+"\n"...)
		}
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o644); err != nil {
			return "", err
		}
	}
	return modfile, nil
}
