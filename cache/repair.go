package cache

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/vf2prep/vf2prep/manifest"
	"github.com/vf2prep/vf2prep/shard"
)

// Repaired is the outcome of [Repair].
type Repaired struct {
	Check    *shard.Check `json:"check"`    // what was found before
	Restored []string     `json:"restored"` // shards that were made anew, as they were
	Changed  []string     `json:"changed"`  // shards that were made anew and are not as they were
	Summary  *Summary     `json:"summary"`
}

// origin is what a set says of how it was made.
type origin struct {
	recipe    *Recipe
	seed      uint64
	shardSize int64
	build     string
}

// Repair reads every byte of a set, as [shard.Verify] does, and makes the shards anew that are
// condemned, and the index where it is. The others are left as they are. Manifest, split and
// photos must be those that the set was made from: where photos are not, a shard is sound again
// but not as it was. What the set has forgotten, which t has to name, does not come back.
func Repair(ctx context.Context, dir, manifestFile, splitDir string, t *manifest.Tombstones, o BuildOptions) (*Repaired, error) {
	start := time.Now()
	from, old, err := findOrigin(dir)
	if err != nil {
		return nil, err
	}
	p, err := MakePlan(PlanOptions{Manifest: manifestFile, Split: splitDir, Recipe: from.recipe, Out: dir, Seed: from.seed, ShardSize: from.shardSize, Tombstones: t})
	if err != nil {
		return nil, err
	}
	if p.Digest != from.build {
		return nil, fmt.Errorf("%s was made from another manifest or split", dir)
	}
	b, release, err := p.begin(o)
	if err != nil {
		return nil, err
	}
	defer release()
	out := &Repaired{Check: &shard.Check{Faults: []shard.Fault{}}, Restored: []string{}, Changed: []string{}}
	was := map[string]shard.Info{}
	if old != nil {
		if out.Check, err = shard.Verify(ctx, dir, o.Progress); err != nil {
			return nil, err
		}
		for _, part := range old.Parts {
			for _, info := range part.Shards {
				was[info.File] = info
			}
		}
		b.old, b.believed = old, maps.Clone(was)
		for _, f := range out.Check.Faults {
			delete(b.believed, f.Shard)
		}
	} else { // each shard has to speak for itself
		if _, err := p.claim(); err != nil {
			return nil, err
		}
		out.Check.Faults = append(out.Check.Faults, shard.Fault{Shard: shard.IndexName, Section: "file", Sample: -1, Detail: "is damaged or missing"})
	}
	if out.Summary, err = b.all(ctx, start); err != nil {
		return nil, err
	}
	for i := range b.shards {
		s := &b.shards[i]
		switch info, known := was[s.name]; {
		case s.reused:
		case known && info != s.info:
			out.Changed = append(out.Changed, s.name)
		default:
			out.Restored = append(out.Restored, s.name)
		}
	}
	return out, nil
}

// findOrigin reads how a set was made from its index or, where that is damaged or missing, from
// any shard whose header is sound.
func findOrigin(dir string) (*origin, *shard.Index, error) {
	set, err := shard.Open(dir)
	if err == nil {
		x := set.Index()
		set.Close()
		r, err := ParseRecipe(x.RecipeText)
		if err != nil {
			return nil, nil, err
		}
		if x.ShardSize < 1 {
			return nil, nil, fmt.Errorf("%s does not say how large its shards may be: it was made by an earlier version; build it anew", dir)
		}
		return &origin{r, x.Seed, x.ShardSize, x.Build}, &x, nil
	}
	files, listErr := os.ReadDir(dir)
	if listErr != nil {
		return nil, nil, listErr
	}
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".safetensors") {
			continue
		}
		if o := shardOrigin(filepath.Join(dir, f.Name())); o != nil {
			return o, nil, nil
		}
	}
	return nil, nil, errors.Join(err, errors.New("no shard says how the set was made"))
}

func shardOrigin(name string) *origin {
	f, err := shard.OpenFile(name)
	if err != nil {
		return nil
	}
	defer f.Close()
	r, err := ParseRecipe([]byte(f.Meta["recipe_text"]))
	if err != nil {
		return nil
	}
	seed, err := strconv.ParseUint(f.Meta["seed"], 10, 64)
	if err != nil {
		return nil
	}
	size, err := strconv.ParseInt(f.Meta["shard_size"], 10, 64)
	if err != nil || size < 1 {
		return nil
	}
	return &origin{r, seed, size, f.Meta["build"]}
}
