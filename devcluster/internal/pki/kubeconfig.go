package pki

import (
	"encoding/base64"
	"fmt"
	"os"
)

// Kubeconfig writes a kubeconfig file for a user. Its context and its cluster
// have one name; certificates are inside, so that the file can be copied.
func (a *Authority) Kubeconfig(file, name, server, user string, groups ...string) error {
	pair, err := a.Client(user, groups...)
	if err != nil {
		return err
	}
	b64 := base64.StdEncoding.EncodeToString
	return os.WriteFile(file, fmt.Appendf(nil, `apiVersion: v1
kind: Config
current-context: %[1]s
contexts:
- name: %[1]s
  context:
    cluster: %[1]s
    user: %[1]s
clusters:
- name: %[1]s
  cluster:
    server: %[2]s
    certificate-authority-data: %[3]s
users:
- name: %[1]s
  user:
    client-certificate-data: %[4]s
    client-key-data: %[5]s
`, name, server, b64(a.CertPEM), b64(pair.Cert), b64(pair.Key)), 0o600)
}
