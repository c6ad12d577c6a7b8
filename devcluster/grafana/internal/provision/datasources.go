package provision

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"

	"devcluster/grafana/internal/logs"
	"devcluster/grafana/internal/store"
)

var errDefaults = errors.New("datasource.yaml config is invalid. Only one datasource per organization can be marked as default")

type sourceFile struct {
	APIVersion        number         `yaml:"apiVersion"`
	Prune             flag           `yaml:"prune"`
	DataSources       []sourceConfig `yaml:"datasources"`
	DeleteDataSources []struct {
		Name  string `yaml:"name"`
		OrgID number `yaml:"orgId"`
	} `yaml:"deleteDatasources"`
}

type sourceConfig struct {
	Name            string            `yaml:"name"`
	Type            string            `yaml:"type"`
	Access          string            `yaml:"access"`
	OrgID           number            `yaml:"orgId"`
	UID             string            `yaml:"uid"`
	URL             string            `yaml:"url"`
	User            string            `yaml:"user"`
	Database        string            `yaml:"database"`
	BasicAuth       flag              `yaml:"basicAuth"`
	BasicAuthUser   string            `yaml:"basicAuthUser"`
	WithCredentials flag              `yaml:"withCredentials"`
	IsDefault       flag              `yaml:"isDefault"`
	JSONData        map[string]any    `yaml:"jsonData"`
	SecureJSONData  map[string]string `yaml:"secureJsonData"`
	Editable        flag              `yaml:"editable"`
}

// DataSources makes the data sources what the files say.
func DataSources(folder string, s *store.Store, log *logs.Logger) error {
	files, err := readSources(filepath.Join(folder, "datasources"), log)
	if err != nil {
		return fmt.Errorf("Datasource provisioning error: %w", err)
	}
	named := map[string]bool{}
	for _, file := range files {
		for _, source := range file.DataSources {
			named[source.Name] = true
		}
	}
	gone, err := s.DeleteSources(func(source store.Source) bool { return source.Prunable && !named[source.Name] })
	for _, name := range gone {
		log.Info("deleted datasource based on configuration", "name", name)
	}
	for _, file := range files {
		for _, one := range file.DeleteDataSources {
			_, deleteErr := s.DeleteSources(func(source store.Source) bool { return source.Name == one.Name })
			err = errors.Join(err, deleteErr)
		}
		for _, config := range file.DataSources {
			source, sourceErr := config.source(bool(file.Prune))
			if sourceErr != nil {
				return fmt.Errorf("Datasource provisioning error: %w", sourceErr)
			}
			made, putErr := s.PutSource(source)
			if putErr != nil {
				return fmt.Errorf("Datasource provisioning error: %w", putErr)
			}
			if made {
				log.Info("inserting datasource from configuration", "name", source.Name, "uid", source.UID)
			}
		}
	}
	return err
}

func readSources(folder string, log *logs.Logger) ([]sourceFile, error) {
	nodes, err := documents(folder, log)
	if err != nil {
		return nil, err
	}
	var files []sourceFile
	defaults := 0
	for _, node := range nodes {
		var file sourceFile
		if err := node.Decode(&file); err != nil {
			return nil, err
		}
		if file.APIVersion != 1 && len(file.DataSources) > 0 {
			return nil, errors.New("apiVersion is not 1; this server does not play the older form")
		}
		for i, source := range file.DataSources {
			if source.Name == "" || source.Type == "" {
				return nil, fmt.Errorf("datasources[%d]: name and type are required", i)
			}
			if err := checkOrg(source.OrgID); err != nil {
				return nil, fmt.Errorf("datasource %s: %w", source.Name, err)
			}
			if source.IsDefault {
				if defaults++; defaults > 1 {
					return nil, errDefaults
				}
			}
		}
		files = append(files, file)
	}
	return files, nil
}

func (c sourceConfig) source(prune bool) (store.Source, error) {
	access := "proxy"
	if c.Access == "direct" {
		access = "direct"
	}
	// As the API gives it, with JSON's types.
	var data map[string]any
	text, err := json.Marshal(c.JSONData)
	if err == nil {
		err = json.Unmarshal(text, &data)
	}
	if err != nil {
		return store.Source{}, fmt.Errorf("datasource %s: jsonData: %w", c.Name, err)
	}
	if data == nil {
		data = map[string]any{}
	}
	return store.Source{
		UID: c.UID, Name: c.Name, Type: c.Type, Access: access, URL: c.URL, User: c.User, Database: c.Database,
		BasicAuth: bool(c.BasicAuth), BasicAuthUser: c.BasicAuthUser, WithCredentials: bool(c.WithCredentials),
		IsDefault: bool(c.IsDefault), ReadOnly: !bool(c.Editable), JSONData: data, Secure: c.SecureJSONData, Prunable: prune,
	}, nil
}
