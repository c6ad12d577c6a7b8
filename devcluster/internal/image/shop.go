package image

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"

	"devcluster/internal/debian"
	"devcluster/internal/place"
	"devcluster/internal/recipe"
)

// The example of the repository (examples/fastapi), as its Dockerfile would make it.

// shopParts are found when they are asked for: where the sources are is known then.
type shopPackages struct{}

func (shopPackages) Ensure() (recipe.Built, error) { return ShopPython() }

// ShopPython is the interpreter of the example with its packages, also for its tests
// on this machine.
func ShopPython() (recipe.Built, error) {
	dir, err := shopSource()
	if err != nil {
		return recipe.Built{}, err
	}
	return debian.Python{Name: "shop", Requirements: filepath.Join(dir, "requirements.txt")}.Ensure()
}

// shopFiles are the sources themselves; nothing is built of them.
type shopFiles struct{}

func (shopFiles) Ensure() (recipe.Built, error) {
	dir, err := shopSource()
	if err != nil {
		return recipe.Built{}, err
	}
	sum := sha256.New()
	files, err := shopApp(dir)
	for _, file := range files {
		if text, readErr := os.ReadFile(file.Host); !file.Dir {
			if readErr != nil {
				return recipe.Built{}, readErr
			}
			fmt.Fprintf(sum, "%s %d\n%s", file.Path, len(text), text)
		}
	}
	return recipe.Built{Dir: dir, Hash: hex.EncodeToString(sum.Sum(nil))[:12]}, err
}

func shopSource() (string, error) {
	source, err := place.Source()
	return filepath.Join(source, "..", "examples", "fastapi"), err
}

func shopApp(dir string) ([]File, error) {
	files, err := folder(filepath.Join(dir, "shop"), "/app/shop", "/app/shop/__pycache__")
	for i := range files {
		// What git does not keep must not decide.
		files[i].Mode = 0o644
		if files[i].Dir {
			files[i].Mode = 0o755
		}
	}
	return append(files, File{Path: "/app/load.py", Host: filepath.Join(dir, "load.py")}), err
}

var shop = Image{
	Name:  "docker.io/library/obs-example-shop:1",
	Parts: []Part{debian.Interpreter, shopPackages{}, shopFiles{}},
	Files: func(b []recipe.Built) ([]File, error) {
		files, err := unpacked(b[0], "/usr/share/python-wheels", "/usr/lib/python3.*/test", "/usr/lib/python3.*/pydoc_data",
			"/usr/lib/python3.*/ensurepip", "/usr/lib/python3.*/idlelib", "/usr/lib/python3.*/lib2to3")
		if err != nil {
			return nil, err
		}
		packages, err := folder(filepath.Join(b[1].Dir, "site"), debian.Site)
		if err != nil {
			return nil, err
		}
		app, err := shopApp(b[2].Dir)
		return append(append(root(files...), packages...), app...), err
	},
	Config: Config{
		User: "10001:10001", WorkingDir: "/app", Env: []string{"PATH=/usr/local/bin:/usr/bin:/bin", "PYTHONUNBUFFERED=1"},
		Entrypoint: []string{"python3"}, Cmd: []string{"-m", "shop"}, Ports: ports("8000/tcp"),
	},
}
