package cluster

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"devcluster/internal/process"
	"devcluster/internal/recipe"
	"devcluster/internal/talk"
)

// starter brings one cluster up. It remembers which processes it started, so
// that a wait ends at once, with the log, when one of them does.
type starter struct {
	*Cluster
	ctx   context.Context
	kube  recipe.Built
	http  *http.Client
	exits map[string]<-chan error
}

func (s *starter) start(spec process.Spec) error {
	if spec.Program == "" {
		spec.Program = s.kube.Program(spec.Name)
	}
	ref, exited, err := process.Start(spec)
	if err != nil {
		return err
	}
	s.exits[spec.Name] = exited
	s.Processes = append(s.Processes, ref)
	return s.save()
}

// connect makes the client that the waits use: the administrator's.
func (s *starter) connect() error {
	certificate, err := tls.LoadX509KeyPair(s.pki("admin.crt"), s.pki("admin.key"))
	if err != nil {
		return err
	}
	// Not verified: it talks to the processes started a moment ago, of which the
	// scheduler and the controller manager sign their own certificates.
	s.http = &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{Certificates: []tls.Certificate{certificate}, InsecureSkipVerify: true},
	}}
	return nil
}

// get fetches a URL and gives why that failed.
func (s *starter) get(url string) (string, error) {
	response, err := s.http.Get(url)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", response.Status, strings.TrimSpace(string(body)))
	}
	return string(body), err
}

// await polls until check succeeds, a process that was started ends, or time is up.
func (s *starter) await(what string, limit time.Duration, check func() error) error {
	deadline := time.Now().Add(limit)
	for {
		err := check()
		if err == nil {
			return nil
		}
		for name, exited := range s.exits {
			select {
			case end := <-exited:
				return talk.Failf("%s ended while the cluster started: %w\n%s", name, end, s.LogTail(name)).
					Hinted("the whole log is %s, until the next up", s.keepLog(name))
			default:
			}
		}
		if time.Now().After(deadline) {
			return talk.Failf("%s did not become ready within %s: %w", what, talk.Minutes(limit), err).
				Hinted("logs were kept in %s", filepath.Dir(s.keepLog("")))
		}
		select {
		case <-s.ctx.Done():
			return context.Cause(s.ctx)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// keepLog copies the logs to where the cleaning after a failure spares them.
func (s *starter) keepLog(name string) string {
	kept := filepath.Join(os.TempDir(), "devcluster-"+s.Name+"-logs")
	_ = os.RemoveAll(kept)
	_ = os.CopyFS(kept, os.DirFS(s.Dir("logs")))
	return filepath.Join(kept, name+".log")
}

// kubectl runs a kubectl command as the administrator.
func (s *starter) kubectl(input string, args ...string) (string, error) {
	cmd := exec.CommandContext(s.ctx, s.kube.Program("kubectl"), args...)
	cmd.Env = append(os.Environ(), s.KubectlEnv()...)
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", talk.Failf("kubectl %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return string(out), nil
}

// KubectlEnv makes kubectl use this cluster and keep away from ~/.kube.
func (c *Cluster) KubectlEnv() []string {
	return []string{"KUBECONFIG=" + c.Kubeconfig(), "KUBECACHEDIR=" + c.Dir("kubectl-cache"), "KUBERC=off"}
}

func readTail(file string, n int64) string {
	f, err := os.Open(file)
	if err != nil {
		return ""
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() > n {
		_, _ = f.Seek(-n, io.SeekEnd)
	}
	data, _ := io.ReadAll(f)
	return string(data)
}
