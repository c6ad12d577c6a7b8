package debian

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"devcluster/internal/recipe"
	"devcluster/internal/talk"
)

// Python is Debian's interpreter with the packages that a requirements file pins.
type Python struct {
	Name         string
	Requirements string // path of the file
}

// Interpreter is the tree that it runs on. Pip is in it as a wheel, which needs no
// installation; it reads the machine's own configuration.
var Interpreter = Tree{
	Name:     "python",
	Packages: []string{"python3", "python3-pip-whl"},
	Without:  []string{"ca-certificates", "openssl", "libdb5*", "libncurses*", "libreadline*", "readline-common", "libsqlite3*", "tzdata"},
}

// pythonLayout is raised when the packages are installed differently.
const pythonLayout = 1

// Ensure installs the packages, if it was not done before: into site/, with their
// bytecode. Beside it, python runs the interpreter with them on this machine.
func (p Python) Ensure() (recipe.Built, error) {
	requirements, err := os.ReadFile(p.Requirements)
	if err != nil {
		return recipe.Built{}, err
	}
	tree, err := Interpreter.Ensure()
	if err != nil {
		return recipe.Built{}, err
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%d %s\n%s", pythonLayout, tree.Hash, requirements))
	return recipe.Once("python-"+p.Name, hex.EncodeToString(sum[:])[:12], func(dir string) error {
		started := time.Now()
		if err := p.install(dir, tree); err != nil {
			return talk.Failf("cannot install the Python packages of %s: %w", p.Name, err).
				Hinted("the machine must be able to `pip download -r %s`", p.Requirements)
		}
		talk.Sayf("installed the Python packages of %s in %s", p.Name, talk.Minutes(time.Since(started)))
		return nil
	})
}

func (p Python) install(dir string, tree recipe.Built) error {
	// With the tree's own loader, since its libc may be newer than the machine's. The
	// folder has its final name's depth already.
	script := fmt.Sprintf(`#!/bin/sh
here=$(CDPATH='' cd -- "$(dirname "$0")" && pwd -P)
root=$here/../%s/root
for loader in "$root"/usr/lib*/ld-linux*.so.* "$root"/usr/lib/*/ld-linux*.so.*; do [ -e "$loader" ] && break; done
for libraries in "$root"/usr/lib/*-linux-gnu*; do break; done
export PYTHONHOME="$root/usr" PYTHONPATH="$here/site${PYTHONPATH:+:$PYTHONPATH}"
exec "$loader" --library-path "$libraries" "$root/usr/bin/python3" "$@"
`, filepath.Base(tree.Dir))
	python := filepath.Join(dir, "python")
	if err := os.WriteFile(python, []byte(script), 0o755); err != nil {
		return err
	}
	wheels, err := filepath.Glob(filepath.Join(Root(tree), "usr/share/python-wheels/pip-*.whl"))
	if err != nil || len(wheels) != 1 {
		return fmt.Errorf("the package python3-pip-whl has %d wheels of pip (%v)", len(wheels), err)
	}
	site := filepath.Join(dir, "site")
	if _, err := run(dir, python, wheels[0]+"/pip", "install", "--quiet", "--no-input", "--no-deps", "--only-binary=:all:", "--no-compile",
		"--disable-pip-version-check", "--root-user-action=ignore", "--target", site, "--requirement", p.Requirements); err != nil {
		return err
	}
	// Nothing comes in that the file does not name, so it must name all.
	if _, err := run(dir, python, wheels[0]+"/pip", "check", "--disable-pip-version-check"); err != nil {
		return err
	}
	// By the content of the source rather than by its time, which an image does not keep.
	_, err = run(dir, python, "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", "-s", site, "-p", Site, site)
	return err
}

// Site is where an image has the packages.
const Site = "/usr/lib/python3/dist-packages"
