// Package contract holds the server that plays Grafana against Grafana's own published
// client. It starts the server as the rendered chart would (grafana.ini, provisioning
// files, mounted Secrets and dashboards) and makes every call of the API with the client.
//
// With GRAFANA_URL, GRAFANA_USER and GRAFANA_PASSWORD the same calls go to a server that
// runs elsewhere with the stack's dashboards, above all a real one, which is how the
// played one is corrected; what needs files or a restart is left out then.
//
// The chart is rendered by KUBECTL_OBS, or by what cargo built in target/debug.
package contract
