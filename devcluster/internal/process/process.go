// Package process starts programs that outlive devcluster, and finds them again.
// A process id alone is not enough for that: the machine reuses ids, so each is
// kept together with the time at which the kernel says the process started.
package process

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"devcluster/internal/talk"
)

// Ref is a process that was started, now or by an earlier devcluster.
type Ref struct {
	Name  string `json:"name"`
	PID   int    `json:"pid"`
	Start string `json:"start"` // in clock ticks since boot; empty where /proc is not to be had
}

// Spec is a program to start.
type Spec struct {
	Name    string // what it is called in logs, status and `ps`
	Program string
	Args    []string
	Dir     string
	Log     string
	Env     []string
}

// Start runs a program in a session of its own, so that neither the terminal's
// end nor ^C reaches it. The channel delivers its exit while devcluster lives.
func Start(spec Spec) (Ref, <-chan error, error) {
	log, err := os.OpenFile(spec.Log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return Ref{}, nil, err
	}
	defer log.Close()
	cmd := &exec.Cmd{
		Path:        spec.Program,
		Args:        append([]string{spec.Name}, spec.Args...),
		Dir:         spec.Dir,
		Stdout:      log,
		Stderr:      log,
		Env:         append([]string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=" + spec.Dir}, spec.Env...),
		SysProcAttr: &syscall.SysProcAttr{Setsid: true},
	}
	if err := cmd.Start(); err != nil {
		return Ref{}, nil, fmt.Errorf("cannot start %s: %w", spec.Name, err)
	}
	ref := Ref{Name: spec.Name, PID: cmd.Process.Pid, Start: startTime(cmd.Process.Pid)}
	exited := make(chan error, 1)
	go func() {
		err := cmd.Wait()
		if err == nil {
			err = fmt.Errorf("exit status 0")
		}
		exited <- err
	}()
	return ref, exited, nil
}

// Alive says whether this very process still runs.
func (r Ref) Alive() bool {
	if r.PID <= 0 || syscall.Kill(r.PID, 0) == syscall.ESRCH {
		return false
	}
	start := startTime(r.PID)
	return start == r.Start && start != "gone"
}

// Self is the process that asks.
func Self() Ref {
	return Ref{Name: "devcluster", PID: os.Getpid(), Start: startTime(os.Getpid())}
}

// Stop ends processes: politely first, with force after the grace period. It
// returns when all of them are gone.
func Stop(grace time.Duration, refs ...Ref) error {
	signal := func(s syscall.Signal) (left []string) {
		for _, ref := range refs {
			if ref.Alive() {
				_ = syscall.Kill(ref.PID, s)
				left = append(left, fmt.Sprintf("%s (pid %d)", ref.Name, ref.PID))
			}
		}
		return left
	}
	if grace > 0 {
		signal(syscall.SIGTERM)
		for end := time.Now().Add(grace); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
			if len(signal(0)) == 0 {
				return nil
			}
		}
	}
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if len(signal(syscall.SIGKILL)) == 0 {
			return nil
		}
	}
	return talk.Failf("%s cannot be killed", strings.Join(signal(0), ", ")).
		Hinted("it probably waits for a disk or a mount; see its state with ps")
}

// startTime is field 22 of /proc/PID/stat, or "" for a process that is gone or a
// zombie. The second field may contain spaces, so fields count from its ")".
func startTime(pid int) string {
	stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return ""
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 20 || fields[0] == "Z" || fields[0] == "X" {
		return "gone"
	}
	return fields[19]
}

// WithArguments lists processes whose command line contains all these words; it
// finds what containerd started, which no record of ours names.
func WithArguments(words ...string) (refs []Ref) {
	entries, _ := os.ReadDir("/proc")
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		line, err := os.ReadFile(filepath.Join("/proc", entry.Name(), "cmdline"))
		if err != nil || len(line) == 0 {
			continue
		}
		args := strings.Split(strings.TrimRight(string(line), "\x00"), "\x00")
		if containsAll(args, words) {
			refs = append(refs, Ref{Name: filepath.Base(args[0]), PID: pid, Start: startTime(pid)})
		}
	}
	return refs
}

func containsAll(args, words []string) bool {
	for _, word := range words {
		found := false
		for _, arg := range args {
			found = found || arg == word || filepath.Base(arg) == word
		}
		if !found {
			return false
		}
	}
	return true
}

// Find gives a Ref for a process id seen in a cgroup.
func Find(pid int) Ref {
	name, _ := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "comm"))
	return Ref{Name: strings.TrimSpace(string(name)), PID: pid, Start: startTime(pid)}
}
