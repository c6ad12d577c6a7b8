package cluster

import (
	"fmt"
	"strings"

	"devcluster/internal/process"
)

const (
	nodeIP      = "10.99.0.1" // on lo; pods and host reach the API server there
	podCIDR     = "10.244.0.0/16"
	serviceCIDR = "10.96.0.0/16"
	apiService  = "10.96.0.1"
	dnsService  = "10.96.0.10"
)

// host is where the API server listens. Without a node nothing but loopback is
// needed; with one, pods must reach it, and loopback is not routed.
func (c *Cluster) host() string {
	if c.Node {
		return nodeIP
	}
	return "127.0.0.1"
}

func (c *Cluster) nodeName() string { return c.Name + "-node" }

func (c *Cluster) etcd() process.Spec {
	client := fmt.Sprintf("https://127.0.0.1:%d", c.Ports.Etcd)
	peer := fmt.Sprintf("https://127.0.0.1:%d", c.Ports.EtcdPeer)
	return c.kubernetes("etcd",
		"--name=default", "--data-dir="+c.Dir("etcd"),
		"--listen-client-urls="+client, "--advertise-client-urls="+client,
		"--listen-peer-urls="+peer, "--initial-advertise-peer-urls="+peer, "--initial-cluster=default="+peer,
		// Mutual TLS: whoever can talk to etcd owns the cluster.
		"--client-cert-auth", "--trusted-ca-file="+c.pki("ca.crt"), "--cert-file="+c.pki("etcd.crt"), "--key-file="+c.pki("etcd.key"),
		"--peer-client-cert-auth", "--peer-trusted-ca-file="+c.pki("ca.crt"), "--peer-cert-file="+c.pki("etcd.crt"), "--peer-key-file="+c.pki("etcd.key"),
		// The data need not survive a power cut, and fsync is most of a write's time.
		"--unsafe-no-fsync",
		"--log-level=warn",
	)
}

func (c *Cluster) apiServer() process.Spec {
	return c.kubernetes("kube-apiserver",
		fmt.Sprintf("--etcd-servers=https://127.0.0.1:%d", c.Ports.Etcd),
		"--etcd-cafile="+c.pki("ca.crt"), "--etcd-certfile="+c.pki("etcd.crt"), "--etcd-keyfile="+c.pki("etcd.key"),
		"--bind-address="+c.host(), fmt.Sprintf("--secure-port=%d", c.Ports.APIServer),
		// The kubernetes Service may not have a loopback endpoint. Without a node
		// nobody follows it, and the address need not exist.
		"--advertise-address="+nodeIP,
		"--service-cluster-ip-range="+serviceCIDR,
		"--client-ca-file="+c.pki("ca.crt"), "--tls-cert-file="+c.pki("apiserver.crt"), "--tls-private-key-file="+c.pki("apiserver.key"),
		"--service-account-key-file="+c.pki("service-accounts.pub"), "--service-account-signing-key-file="+c.pki("service-accounts.key"),
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--kubelet-client-certificate="+c.pki("apiserver-kubelet.crt"), "--kubelet-client-key="+c.pki("apiserver-kubelet.key"),
		"--kubelet-certificate-authority="+c.pki("ca.crt"), "--kubelet-preferred-address-types=InternalIP",
		"--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction",
		"--allow-privileged",
	)
}

func (c *Cluster) controllerManager() process.Spec {
	spec := c.kubernetes("kube-controller-manager",
		"--kubeconfig="+c.Dir("controller-manager.kubeconfig"),
		"--bind-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", c.Ports.ControllerManager), "--cert-dir="+c.Dir("pki", "controller-manager"),
		"--leader-elect=false", "--use-service-account-credentials",
		"--service-account-private-key-file="+c.pki("service-accounts.key"), "--root-ca-file="+c.pki("ca.crt"),
		"--cluster-signing-cert-file="+c.pki("ca.crt"), "--cluster-signing-key-file="+c.pki("ca.key"),
		"--flex-volume-plugin-dir="+c.Dir("flexvolumes"), // the default is made below /usr
		"--kube-api-qps=200", "--kube-api-burst=400",
	)
	if c.Node {
		spec.Args = append(spec.Args, "--allocate-node-cidrs", "--cluster-cidr="+podCIDR)
	}
	return spec
}

func (c *Cluster) scheduler() process.Spec {
	return c.kubernetes("kube-scheduler",
		"--kubeconfig="+c.Dir("scheduler.kubeconfig"),
		"--bind-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", c.Ports.Scheduler), "--cert-dir="+c.Dir("pki", "scheduler"),
		"--leader-elect=false",
		"--kube-api-qps=200", "--kube-api-burst=400",
	)
}

func (c *Cluster) pki(file string) string { return c.Dir("pki", file) }

func (c *Cluster) kubernetes(role string, args ...string) process.Spec {
	return process.Spec{Name: role, Args: args, Dir: c.Dir("home"), Log: c.Log(role)}
}

// Log is the file that a component writes to.
func (c *Cluster) Log(component string) string { return c.Dir("logs", component+".log") }

// LogTail quotes the end of a component's log, for an error.
func (c *Cluster) LogTail(component string) string {
	lines := strings.Split(strings.TrimSpace(readTail(c.Log(component), 4000)), "\n")
	if len(lines) > 12 {
		lines = lines[len(lines)-12:]
	}
	return "  " + strings.Join(lines, "\n  ")
}
