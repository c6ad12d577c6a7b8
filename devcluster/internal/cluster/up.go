package cluster

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"os"
	"time"

	"devcluster/internal/pki"
	"devcluster/internal/recipe"
	"devcluster/internal/talk"
)

//go:embed manifests
var manifests embed.FS

// Options of Up.
type Options struct {
	Name   string
	Node   bool
	ByWith bool
}

// Up gives a ready cluster: the running one of that name, or a new one.
func Up(ctx context.Context, options Options) (*Cluster, error) {
	if err := CheckName(options.Name); err != nil {
		return nil, err
	}
	c := &Cluster{Name: options.Name, Node: options.Node, ByWith: options.ByWith}
	release, err := c.lock()
	if err != nil {
		return nil, err
	}
	defer release()
	if old, err := reuse(c); old != nil || err != nil {
		return old, err
	}
	var node *nodeParts
	if c.Node {
		if node, err = prepareNode(c); err != nil {
			return nil, err
		}
		defer node.release()
	}
	kube, err := recipe.One(recipe.Kubernetes)
	if err != nil {
		return nil, err
	}
	started := time.Now()
	s := &starter{Cluster: c, ctx: ctx, kube: kube, exits: map[string]<-chan error{}}
	if err := s.run(node); err != nil {
		if ctx.Err() != nil {
			talk.Sayf("interrupted; cleaning")
		}
		return nil, errors.Join(err, c.clean())
	}
	talk.Sayf("cluster %s is ready after %.1fs: %s", c.Name, time.Since(started).Seconds(), c.Server)
	return c, nil
}

// reuse gives the running cluster of that name; what is left of a dead one it
// cleans away.
func reuse(c *Cluster) (*Cluster, error) {
	old, err := Load(c.Name)
	if old == nil || err != nil {
		return nil, err
	}
	if old.Ready && len(old.Dead()) == 0 {
		if old.Node != c.Node {
			return nil, talk.Failf("cluster %s is up, but %s", old.Name, map[bool]string{true: "with a node", false: "without a node"}[old.Node]).
				Hinted("choose another --name, or end it: devcluster down --name %s", old.Name)
		}
		talk.Sayf("cluster %s is up already: %s", old.Name, old.Server)
		if old.ByWith && !c.ByWith {
			old.ByWith = false // a person wants it now; it stays
			return old, old.save()
		}
		return old, nil
	}
	talk.Sayf("cluster %s was not ended properly (%s); cleaning up after it", old.Name, old.State())
	return nil, old.clean()
}

func (s *starter) run(node *nodeParts) error {
	talk.Sayf("starting cluster %s", s.Name)
	for _, dir := range []string{"home", "logs", "etcd", "kubectl-cache"} {
		if err := os.MkdirAll(s.Dir(dir), 0o700); err != nil {
			return err
		}
	}
	s.Created = time.Now().UTC()
	if err := s.save(); err != nil {
		return err
	}
	if node != nil {
		if err := node.begin(s); err != nil {
			return err
		}
	}
	if err := s.choosePorts(s.host()); err != nil {
		return err
	}
	s.Server = fmt.Sprintf("https://%s:%d", s.host(), s.Ports.APIServer)
	if err := s.identities(); err != nil {
		return err
	}
	if err := s.controlPlane(); err != nil {
		return err
	}
	if err := s.apply("storage.yaml"); err != nil {
		return err
	}
	if node != nil {
		if err := node.finish(s); err != nil {
			return err
		}
	}
	s.Ready = true
	return s.save()
}

func (s *starter) identities() error {
	ca, err := pki.New(s.Dir("pki"))
	if err != nil {
		return err
	}
	config := func(file, user string, groups ...string) error {
		return ca.Kubeconfig(s.Dir(file), s.Context(), s.Server, user, groups...)
	}
	return errors.Join(
		ca.ServerFiles("etcd", "127.0.0.1", "localhost"),
		ca.ServerFiles("apiserver", "127.0.0.1", "localhost", nodeIP, apiService, "kubernetes", "kubernetes.default",
			"kubernetes.default.svc", "kubernetes.default.svc.cluster.local"),
		ca.ServerFiles("kubelet", "127.0.0.1", "localhost", nodeIP, s.nodeName()),
		ca.KeyFiles("service-accounts"),
		ca.ClientFiles("admin", "devcluster-admin", "system:masters"),
		ca.ClientFiles("apiserver-kubelet", "kube-apiserver-kubelet-client", "system:masters"),
		config("kubeconfig", "devcluster-admin", "system:masters"),
		config("controller-manager.kubeconfig", "system:kube-controller-manager"),
		config("scheduler.kubeconfig", "system:kube-scheduler"),
		config("kubelet.kubeconfig", "system:node:"+s.nodeName(), "system:nodes"),
		config("kube-proxy.kubeconfig", "system:kube-proxy"),
		config("storage.kubeconfig", "devcluster-storage", "system:masters"),
		s.connect(),
	)
}

// controlPlane starts etcd and the API server, then those that live on it.
func (s *starter) controlPlane() error {
	if err := errors.Join(s.start(s.etcd()), s.start(s.apiServer())); err != nil {
		return err
	}
	if err := s.answers("the API server", s.Server+"/readyz"); err != nil {
		return err
	}
	if err := errors.Join(s.start(s.controllerManager()), s.start(s.scheduler())); err != nil {
		return err
	}
	for _, part := range []struct{ what, url string }{
		{"the controller manager", fmt.Sprintf("https://127.0.0.1:%d/healthz", s.Ports.ControllerManager)},
		{"the scheduler", fmt.Sprintf("https://127.0.0.1:%d/healthz", s.Ports.Scheduler)},
		// The first pod of a namespace needs it.
		{"the default service account", s.Server + "/api/v1/namespaces/default/serviceaccounts/default"},
	} {
		if err := s.answers(part.what, part.url); err != nil {
			return err
		}
	}
	return nil
}

func (s *starter) answers(what, url string) error {
	return s.await(what, time.Minute, func() error { _, err := s.get(url); return err })
}

func (s *starter) apply(file string) error {
	manifest, err := manifests.ReadFile("manifests/" + file)
	if err != nil {
		return err
	}
	_, err = s.kubectl(string(manifest), "apply", "--server-side", "--field-manager=devcluster", "-f", "-")
	return err
}
