package manifest

import (
	"context"
	"path/filepath"
	"strings"
)

// Names returns the names of people by the ids of their identities, as an identity_meta.csv or a
// manifest (.parquet) has them. An identity that is listed twice has its first name; one without
// a name is left out.
func Names(ctx context.Context, path string) (map[string]string, error) {
	names := map[string]string{}
	keep := func(id Identity) {
		if _, ok := names[id.ID]; !ok && id.Name != "" {
			names[id.ID] = id.Name
		}
	}
	if strings.EqualFold(filepath.Ext(path), ".parquet") {
		r, err := Open(path)
		if err != nil {
			return nil, err
		}
		defer r.Close()
		for _, id := range r.Identities() {
			keep(id)
		}
		return names, nil
	}
	in, err := openInput(ctx, "", kindIdentityMeta, path)
	if err != nil {
		return nil, err
	}
	defer in.f.Close()
	return names, parseIdentityMeta(in, in.shown, newProblemLog(), func(_ int, id Identity) { keep(id) })
}
