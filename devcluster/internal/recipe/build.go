package recipe

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"devcluster/internal/place"
	"devcluster/internal/talk"
)

// Once gives the folder of that name and hash in the cache. The first call fills
// it: beside its place, and renamed, so that an interrupted build leaves nothing
// that looks finished.
func Once(name, hash string, fill func(dir string) error) (Built, error) {
	built := Built{Dir: filepath.Join(place.Cache(), "built", name+"-"+hash), Hash: hash}
	if built.present() {
		built.touch()
		return built, nil
	}
	release, err := place.Lock(filepath.Join(place.Cache(), "locks", "build-"+name), func() {
		talk.Sayf("%s is being built by another devcluster; waiting for it", name)
	})
	if err != nil {
		return built, err
	}
	defer release()
	if built.present() {
		return built, nil
	}
	partial := built.Dir + ".partial"
	if err := os.RemoveAll(partial); err != nil {
		return built, err
	}
	if err := os.MkdirAll(partial, 0o755); err != nil {
		return built, err
	}
	if err := fill(partial); err != nil {
		return built, err
	}
	return built, os.Rename(partial, built.Dir)
}

// build compiles a target that Once found missing.
func (t Target) build(source, position, partial string) error {
	if _, err := exec.LookPath("go"); err != nil {
		return talk.Failf("cannot build %s: go is not installed", t.Name).
			Hinted("install Go 1.26 or newer, and put it on PATH")
	}
	started := time.Now()
	modfile, err := t.complete(source, partial+".source")
	if err != nil {
		return err
	}
	defer os.RemoveAll(partial + ".source")
	progress := startProgress(t, position)
	for _, program := range t.Programs {
		if err := t.compile(source, modfile, program, filepath.Join(partial, program.File), progress); err != nil {
			progress.stop()
			return err
		}
	}
	progress.stop()
	for _, role := range t.Roles {
		if err := os.Symlink(t.Programs[0].File, filepath.Join(partial, role)); err != nil {
			return err
		}
	}
	talk.Sayf("built %s %s (%s) in %s", t.Name, t.Version, position, talk.Minutes(time.Since(started)))
	return nil
}

func (t Target) compile(source, modfile string, program Program, output string, progress *progress) error {
	args := append([]string{"build", "-v"}, t.flags()...)
	if modfile != "" {
		args = append(args, "-modfile="+modfile)
	}
	cmd := exec.Command("go", append(args, "-o", output, program.Package)...)
	cmd.Dir = filepath.Join(source, t.Module)
	// A person's GOFLAGS or go.work must not decide what is built.
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-mod=readonly", "GOWORK=off")
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	// `go build -v` names each package that it compiles, and nothing else unless
	// it fails.
	var said bytes.Buffer
	lines := bufio.NewScanner(stderr)
	for lines.Scan() {
		if line := lines.Text(); strings.ContainsAny(line, " :") {
			fmt.Fprintln(&said, line)
			progress.note(line)
		} else {
			progress.compiled.Add(1)
		}
	}
	if err := cmd.Wait(); err != nil {
		return talk.Failf("cannot build %s: go build %s: %w\n%s", t.Name, program.Package, err, lastLines(said.String(), 20)).
			Hinted("to see it again: cd %s && CGO_ENABLED=0 go build -o /dev/null %s", cmd.Dir, program.Package)
	}
	return nil
}

// progress tells now and then how far a build is: each second in place on a
// terminal, as a line every fifteen seconds elsewhere.
type progress struct {
	target      Target
	position    string
	compiled    atomic.Int64
	downloading atomic.Bool
	done        chan struct{}
	finished    chan struct{}
}

func startProgress(target Target, position string) *progress {
	p := &progress{target: target, position: position, done: make(chan struct{}), finished: make(chan struct{})}
	go p.run()
	return p
}

func (p *progress) note(line string) {
	p.downloading.Store(strings.HasPrefix(line, "go: downloading"))
}

func (p *progress) run() {
	defer close(p.finished)
	terminal, started := talk.Terminal(), time.Now()
	every := 15 * time.Second
	if terminal {
		every = time.Second
	} else {
		talk.Sayf("building %s", p.line(started))
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if terminal {
				fmt.Fprintf(os.Stderr, "\r\x1b[Kbuilding %s", p.line(started))
			} else {
				talk.Sayf("building %s", p.line(started))
			}
		case <-p.done:
			if terminal {
				fmt.Fprint(os.Stderr, "\r\x1b[K")
			}
			return
		}
	}
}

func (p *progress) line(started time.Time) string {
	doing := fmt.Sprintf("%d of about %d packages compiled", p.compiled.Load(), p.target.Packages)
	if p.compiled.Load() == 0 && p.downloading.Load() {
		doing = "downloading modules"
	}
	return fmt.Sprintf("%s %s (%s): %s, %s so far, usually %s", p.target.Name, p.target.Version, p.position, doing,
		talk.Minutes(time.Since(started)), talk.Minutes(time.Duration(p.target.Seconds)*time.Second))
}

func (p *progress) stop() {
	close(p.done)
	<-p.finished
}

func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	if len(lines) > n {
		lines = lines[len(lines)-n:]
	}
	return strings.Join(lines, "\n")
}
