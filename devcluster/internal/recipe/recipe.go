// Package recipe builds programs from Go modules into the cache. What a build
// depends on (module files, sources, flags) is hashed into the folder's name, so
// that nothing is built twice and nothing stale is used.
package recipe

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"devcluster/internal/place"
	"devcluster/internal/talk"
)

// Target is one thing to build.
type Target struct {
	Name     string
	Version  string
	Module   string // folder of the Go module, relative to the sources
	Sources  string // folder inside the module that alone decides; "" for all of it
	Programs []Program
	Set      map[string]string // package variables set by the linker
	Lacks    Lacks             // what a published module lacks to be built
	Roles    []string          // symlinks to the first program
	Packages int               // how many packages a cold build compiles
	Seconds  int               // how long that takes on two cores
}

// Program is a main package and the file it becomes.
type Program struct{ Package, File string }

// Lacks names files that a module embeds and does not have where it is published.
// The module is copied, and what is built uses the copy.
type Lacks struct {
	Module string
	Files  map[string]string // path in the module → content
}

// Built is where the programs of a target are.
type Built struct {
	Dir  string
	Hash string
}

// Program is the path of one of them.
func (b Built) Program(name string) string { return filepath.Join(b.Dir, name) }

// Ensure builds what is missing and gives the places of all, in order.
func Ensure(targets ...Target) ([]Built, error) {
	source, err := place.Source()
	if err != nil {
		return nil, err
	}
	built := make([]Built, len(targets))
	missing, seconds := 0, 0
	for i, target := range targets {
		if built[i], err = target.locate(source); err != nil {
			return nil, err
		}
		if !built[i].present() {
			missing++
			seconds += target.Seconds
		}
	}
	if missing > 1 {
		talk.Sayf("building %d things, once (usually %s in all on two cores, with an empty Go cache)",
			missing, talk.Minutes(time.Duration(seconds)*time.Second))
	}
	done := 0
	for i, target := range targets {
		if built[i].present() {
			built[i].touch()
			continue
		}
		done++
		position := fmt.Sprintf("%d of %d", done, missing)
		_, err := Once(target.Name, built[i].Hash, func(dir string) error { return target.build(source, position, dir) })
		if err != nil {
			return nil, err
		}
	}
	return built, nil
}

// One is Ensure for a single target.
func One(target Target) (Built, error) {
	built, err := Ensure(target)
	if err != nil {
		return Built{}, err
	}
	return built[0], nil
}

func (t Target) locate(source string) (Built, error) {
	hash, err := t.hash(source)
	if err != nil {
		return Built{}, talk.Failf("cannot read the recipe of %s: %w", t.Name, err)
	}
	return Built{Dir: filepath.Join(place.Cache(), "built", t.Name+"-"+hash), Hash: hash}, nil
}

func (t Target) hash(source string) (string, error) {
	sum := sha256.New()
	fmt.Fprintf(sum, "%s/%s\n%s\n%q\n%q\n", runtime.GOOS, runtime.GOARCH, strings.Join(t.flags(), " "), t.Programs, t.Roles)
	for _, file := range sortedKeys(t.Lacks.Files) {
		fmt.Fprintf(sum, "%s %s %q\n", t.Lacks.Module, file, t.Lacks.Files[file])
	}
	module := filepath.Join(source, t.Module)
	err := filepath.WalkDir(filepath.Join(module, t.Sources), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !slices.Contains([]string{".go", ".mod", ".sum"}, filepath.Ext(path)) ||
			strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		defer file.Close()
		relative, _ := filepath.Rel(module, path)
		fmt.Fprintln(sum, relative)
		_, err = io.Copy(sum, file)
		return err
	})
	return hex.EncodeToString(sum.Sum(nil))[:12], err
}

func (t Target) flags() []string {
	linker := "-s -w"
	for _, name := range sortedKeys(t.Set) {
		linker += " -X " + name + "=" + t.Set[name]
	}
	return []string{"-trimpath", "-buildvcs=false", "-ldflags", linker}
}

func (b Built) present() bool {
	_, err := os.Stat(b.Dir)
	return err == nil
}

// touch marks a build as used, for prune.
func (b Built) touch() { _ = os.Chtimes(b.Dir, time.Now(), time.Now()) }

// Prune deletes builds and images that no recipe has used for two weeks; other
// worktrees of the repository may use other ones than this.
func Prune() {
	for _, folder := range []string{"built", "tars"} {
		dir := filepath.Join(place.Cache(), folder)
		entries, _ := os.ReadDir(dir)
		for _, entry := range entries {
			if info, err := entry.Info(); err == nil && time.Since(info.ModTime()) > 14*24*time.Hour {
				_ = os.RemoveAll(filepath.Join(dir, entry.Name()))
			}
		}
	}
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
