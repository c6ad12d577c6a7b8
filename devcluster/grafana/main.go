// Plays-grafana answers as Grafana's HTTP API does, for tests in a cluster that can
// have no image of Grafana. It reads what Grafana reads (grafana.ini, provisioning
// files, mounted dashboards), keeps passwords as Grafana does, refuses to start where
// Grafana refuses, and draws nothing. It was written from Grafana's documentation and
// issues; contract/ holds it against Grafana's own Go client.
//
// `internal/` is, in the order of the data: settings, logs, store (users, data
// sources, dashboards), provision (files into the store) and api.
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"devcluster/grafana/internal/api"
	"devcluster/grafana/internal/logs"
	"devcluster/grafana/internal/provision"
	"devcluster/grafana/internal/settings"
	"devcluster/grafana/internal/store"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintf(os.Stderr, "Error: ✗ %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	config, err := settings.Load()
	if err != nil {
		return err
	}
	log, err := logs.New(os.Stdout, config.LogLevel, config.LogFormat)
	if err != nil {
		return err
	}
	log.Logger("settings").Info("Starting Grafana (this is not Grafana, but plays it)", "version", settings.Version, "edition", "oss")
	log.Logger("settings").Info("Config loaded from", "file", config.Config)
	log.Logger("settings").Info("Path Data", "path", config.Data)
	log.Logger("settings").Info("Path Provisioning", "path", config.Provisioning)
	kept, err := store.Open(config.Data)
	if err != nil {
		return fmt.Errorf("the data folder cannot be used: %w", err)
	}
	made, err := kept.EnsureAdmin(config.AdminUser, config.AdminEmail, config.AdminPassword)
	if err != nil {
		return err
	}
	if made {
		log.Logger("sqlstore").Info("Created default admin", "user", config.AdminUser)
	}
	dashboards, err := fill(config, kept, log)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: api.New(config, kept, log), ReadHeaderTimeout: 10 * time.Second}
	listener, err := net.Listen("tcp", net.JoinHostPort(config.Address, strconv.Itoa(config.Port)))
	if err != nil {
		return fmt.Errorf("failed to open listener on address %s:%d: %w", config.Address, config.Port, err)
	}
	log.Logger("http.server").Info("HTTP Server Listen", "address", listener.Addr().String(), "protocol", "http", "subUrl", config.SubPath, "socket", "")
	dashboards.Watch(ctx)
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	log.Logger("server").Info("Shutdown started", "reason", "System signal: terminated")
	grace, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := server.Shutdown(grace); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}

// fill provisions what files describe.
func fill(config *settings.Settings, kept *store.Store, log *logs.Log) (*provision.Dashboards, error) {
	part := log.Logger("provisioning")
	if err := provision.DataSources(config.Provisioning, kept, log.Logger("provisioning.datasources")); err != nil {
		part.Error("Failed to provision data sources", "error", err)
		return nil, err
	}
	if err := provision.Others(config.Provisioning, log); err != nil {
		part.Error("Failed to provision", "error", err)
		return nil, err
	}
	dashboards, err := provision.NewDashboards(config.Provisioning, kept, log)
	if err == nil {
		err = dashboards.Provision()
	}
	if err != nil {
		part.Error("Failed to provision dashboard", "error", err)
		return nil, err
	}
	return dashboards, nil
}
