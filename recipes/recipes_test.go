package recipes

import (
	"strings"
	"testing"
)

func TestRecipes(t *testing.T) {
	all := All()
	if len(all) < 10 {
		t.Fatalf("%d recipes, want at least 10", len(all))
	}
	for _, r := range all {
		if !strings.HasPrefix(r.Text, "# "+r.Title+"\n") || r.Title == "" || strings.Contains(r.Title, ":") {
			t.Errorf("%s: title %q, want the first line of a comment", r.Name, r.Title)
		}
		if !strings.Contains(r.Text, "--recipe ") {
			t.Errorf("%s does not say which shards it wants", r.Name)
		}
		if got, err := Get(r.Name); err != nil || got != r {
			t.Errorf("Get(%q) = %v, %v, want the recipe of that name", r.Name, got.Name, err)
		}
	}
	if _, err := Get("nonsense"); err == nil || !strings.Contains(err.Error(), all[0].Name) {
		t.Errorf("Get of an unknown name: error %v, want one that lists the names", err)
	}
}
