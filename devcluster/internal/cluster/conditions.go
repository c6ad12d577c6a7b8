package cluster

import (
	"encoding/json"
	"fmt"
)

// conditionTrue says why a condition of an object is not True.
func (s *starter) conditionTrue(name, url, kind string) error {
	body, err := s.get(url)
	if err != nil {
		return err
	}
	var object struct {
		Status struct {
			Conditions []struct{ Type, Status, Message string }
		}
	}
	if err := json.Unmarshal([]byte(body), &object); err != nil {
		return err
	}
	for _, condition := range object.Status.Conditions {
		if condition.Type == kind {
			if condition.Status == "True" {
				return nil
			}
			return fmt.Errorf("%s is not %s: %s", name, kind, condition.Message)
		}
	}
	return fmt.Errorf("%s has no condition %s yet", name, kind)
}
