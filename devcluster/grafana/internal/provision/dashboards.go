package provision

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"devcluster/grafana/internal/logs"
	"devcluster/grafana/internal/store"
)

// Dashboards keeps the dashboards what the files of all providers say.
type Dashboards struct {
	store     *store.Store
	log       *logs.Logger
	mutex     sync.Mutex // one provider at a time
	providers []*dashboardProvider
}

type dashboardProvider struct {
	Name                  string `yaml:"name"`
	OrgID                 number `yaml:"orgId"`
	Folder                string `yaml:"folder"`
	FolderUID             string `yaml:"folderUid"`
	Type                  string `yaml:"type"`
	DisableDeletion       flag   `yaml:"disableDeletion"`
	AllowUIUpdates        flag   `yaml:"allowUiUpdates"`
	UpdateIntervalSeconds number `yaml:"updateIntervalSeconds"`
	Options               struct {
		Path                      string `yaml:"path"`
		FoldersFromFilesStructure flag   `yaml:"foldersFromFilesStructure"`
	} `yaml:"options"`

	log        *logs.Logger
	files      map[string]dashboardFile // by path below Options.Path, of the last look
	restricted bool                     // something in it is there twice
}

// NewDashboards reads the providers.
func NewDashboards(folder string, s *store.Store, log *logs.Log) (*Dashboards, error) {
	d := &Dashboards{store: s, log: log.Logger("provisioning.dashboard")}
	nodes, err := documents(filepath.Join(folder, "dashboards"), d.log)
	if err != nil {
		return nil, fmt.Errorf("failed to provision dashboards: %w", err)
	}
	for _, node := range nodes {
		var file struct {
			APIVersion number               `yaml:"apiVersion"`
			Providers  []*dashboardProvider `yaml:"providers"`
		}
		if err := node.Decode(&file); err != nil {
			return nil, fmt.Errorf("failed to provision dashboards: %w", err)
		}
		for _, provider := range file.Providers {
			if err := provider.check(); err != nil {
				return nil, fmt.Errorf("failed to provision dashboards: provider %q: %w", provider.Name, err)
			}
			provider.log = log.Logger("provisioning.dashboard", "type", "file", "name", provider.Name)
			d.providers = append(d.providers, provider)
		}
	}
	return d, nil
}

func (p *dashboardProvider) check() error {
	if p.Type != "" && p.Type != "file" {
		return fmt.Errorf("type %s is not supported", p.Type)
	}
	if p.Options.Path == "" {
		return fmt.Errorf("failed to load dashboards, path param is not a string")
	}
	if bool(p.Options.FoldersFromFilesStructure) && (p.Folder != "" || p.FolderUID != "") {
		return fmt.Errorf("'folder' and 'folderUID' should be empty using 'foldersFromFilesStructure' option")
	}
	if p.UpdateIntervalSeconds == 0 {
		p.UpdateIntervalSeconds = 10
	}
	return checkOrg(p.OrgID)
}

// Provision loads what is there now. A bad file is logged and left out.
func (d *Dashboards) Provision() error {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	d.log.Info("starting to provision dashboards")
	known := map[string]bool{}
	for _, provider := range d.providers {
		known[provider.Name] = true
		provider.look()
	}
	d.findDuplicates()
	for _, provider := range d.providers {
		if err := d.apply(provider); err != nil {
			return fmt.Errorf("failed to provision config %s: %w", provider.Name, err)
		}
	}
	// Of providers that are no longer configured.
	_, err := d.store.DeleteDashboards(func(dashboard store.Dashboard) bool { return !known[dashboard.Provider] })
	d.log.Info("finished to provision dashboards")
	return err
}

// Watch looks for changes, at each provider's interval, until the context ends.
func (d *Dashboards) Watch(ctx context.Context) {
	for _, provider := range d.providers {
		go func() {
			every := time.NewTicker(time.Duration(provider.UpdateIntervalSeconds) * time.Second)
			defer every.Stop()
			for {
				select {
				case <-ctx.Done():
					return
				case <-every.C:
					d.update(provider)
				}
			}
		}()
	}
}

func (d *Dashboards) update(provider *dashboardProvider) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	if provider.look() || provider.restricted {
		d.findDuplicates()
	}
	if err := d.apply(provider); err != nil {
		provider.log.Error("failed to search for dashboards", "error", err)
	}
}

// apply saves what a provider's files have. The caller holds the lock.
func (d *Dashboards) apply(p *dashboardProvider) error {
	for name, file := range p.files {
		if file.err != nil {
			continue
		}
		if p.restricted {
			if _, err := d.store.Dashboard(file.uid); err != nil || !file.saved {
				p.log.Warn("Not saving new dashboard due to restricted database access", "provisioner", p.Name, "file", file.path)
			}
			continue
		}
		folder := ""
		if title := p.folderOf(name); title != "" {
			made, err := d.store.EnsureFolder(title, p.FolderUID)
			if err != nil {
				return err
			}
			folder = made.UID
		}
		if file.saved && file.folder == folder {
			continue
		}
		err := d.store.PutDashboard(store.Dashboard{
			UID: file.uid, Title: file.title, Description: file.description, FolderUID: folder, Tags: file.tags,
			Provider: p.Name, File: name, Sum: file.sum, Body: file.body,
		})
		if err != nil {
			p.log.Error("failed to save dashboard", "file", file.path, "error", err)
			continue
		}
		file.saved, file.folder, file.body = true, folder, nil
		p.files[name] = file
	}
	if p.restricted || bool(p.DisableDeletion) {
		return nil
	}
	gone, err := d.store.DeleteDashboards(func(dashboard store.Dashboard) bool {
		file, there := p.files[dashboard.File]
		return dashboard.Provider == p.Name && (!there || file.err != nil && !file.saved && dashboard.Body == nil)
	})
	for _, file := range gone {
		p.log.Debug("deleted provisioned dashboard, missing on disk", "file", file)
	}
	return err
}
