package process

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestAProcessIsStartedFoundAndStopped(t *testing.T) {
	dir := t.TempDir()
	log := filepath.Join(dir, "log")
	ref, _, err := Start(Spec{Name: "sleeper", Program: "/bin/sh", Args: []string{"-c", "echo $HOME; sleep 60; true"}, Dir: dir, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	if !ref.Alive() {
		t.Error("it is not alive after its start")
	}
	logged := ""
	for end := time.Now().Add(5 * time.Second); logged != dir && time.Now().Before(end); time.Sleep(time.Millisecond) {
		text, _ := os.ReadFile(log)
		logged = strings.TrimSpace(string(text))
	}
	if logged != dir {
		t.Errorf("its log has %q", logged)
	}
	if found := WithArguments("sleeper", "echo $HOME; sleep 60; true"); !slices.Contains(pids(found), ref.PID) {
		t.Errorf("found %v", found)
	}
	if err := Stop(time.Second, ref); err != nil {
		t.Fatal(err)
	}
	if ref.Alive() {
		t.Error("it is alive after its stop")
	}
}

func TestAReusedIdIsNotTheProcess(t *testing.T) {
	self := Self()
	if !self.Alive() {
		t.Error("this process is not alive")
	}
	self.Start = "1"
	if self.Alive() {
		t.Error("another start time, and yet the same process")
	}
}

func TestAnExitIsReported(t *testing.T) {
	ref, exited, err := Start(Spec{Name: "failing", Program: "/bin/sh", Args: []string{"-c", "exit 3"}, Dir: t.TempDir(), Log: filepath.Join(t.TempDir(), "log")})
	if err != nil {
		t.Fatal(err)
	}
	if err := <-exited; err == nil || err.Error() != "exit status 3" {
		t.Errorf("got %v", err)
	}
	if ref.Alive() {
		t.Error("it is alive after its exit")
	}
}

func pids(refs []Ref) (pids []int) {
	for _, ref := range refs {
		pids = append(pids, ref.PID)
	}
	return pids
}
