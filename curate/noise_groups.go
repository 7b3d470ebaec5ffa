package curate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/vf2prep/vf2prep/eval"
)

// Reasons for images and identities that are left out.
const (
	missingEmbedding = "missing-embedding"
	zeroEmbedding    = "zero-embedding"
	unknownImage     = "unknown-image"
	tooFewImages     = "too-few-images"
)

// person is an identity and its rows in the order of their keys.
type person struct {
	id   string
	rows []int
	centre
	halves
}

// skip leaves an item out with a reason.
func (n *noise) skip(item, reason, detail string) {
	n.r.Skips = append(n.r.Skips, eval.Skip{Item: item, Reason: reason, Detail: detail})
}

// key is what a row is called in every list: the manifest's name of it, or its key without an extension.
func (n *noise) key(row int) string {
	if name, ok := n.names[row]; ok {
		return name
	}
	return eval.KeyOf(n.rows.Keys[row])
}

// group says whose image each row is, by the manifest or by the keys.
func (n *noise) group(ctx context.Context) error {
	of := map[string][]int{}
	var err error
	switch {
	case n.Manifest != nil:
		err = n.groupByManifest(of)
	default:
		for row, key := range n.rows.Keys {
			of[eval.IdentityOf(key)] = append(of[eval.IdentityOf(key)], row)
		}
		if n.Shards != nil {
			err = n.missingOfShards()
		}
	}
	if err != nil {
		return err
	}
	zero, err := n.zeros(ctx)
	if err != nil {
		return err
	}
	n.of = make([]int32, len(n.rows.Keys))
	for i := range n.of {
		n.of[i] = -1
	}
	ids := make([]string, 0, len(of))
	for id := range of {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	n.r.Identities = len(ids)
	for _, id := range ids {
		rows := slices.DeleteFunc(of[id], func(row int) bool { return zero[row] })
		n.r.Images += len(rows)
		if len(rows) < n.MinImages {
			n.skip(id, tooFewImages, fmt.Sprintf("%d images with an embedding, at least %d are wanted", len(rows), n.MinImages))
			n.r.TooFew++
			n.r.TooFewImages += len(rows)
			continue
		}
		slices.SortFunc(rows, func(a, b int) int { return strings.Compare(n.rows.Keys[a], n.rows.Keys[b]) })
		for _, row := range rows {
			n.of[row] = int32(len(n.people))
		}
		n.people = append(n.people, person{id: id, rows: rows})
	}
	if len(n.people) < 2 {
		return fmt.Errorf("%s: %d of %d identities have %d images or more, want at least 2: %w", n.Embeddings, len(n.people), len(ids), n.MinImages, ErrTooFew)
	}
	return nil
}

// groupByManifest looks every usable image of the manifest up among the keys, by its name or by its path.
func (n *noise) groupByManifest(of map[string][]int) error {
	if n.Manifest.Anonymous() {
		return errors.New("the manifest's images show nobody in particular: there are no identities to judge")
	}
	row := make(map[string]int32, len(n.rows.Keys))
	for i, key := range n.rows.Keys {
		row[eval.KeyOf(key)] = int32(i)
	}
	n.names = map[int]string{}
	used := make([]bool, len(n.rows.Keys))
	for rec, err := range n.Manifest.All() {
		if err != nil {
			return err
		}
		if rec.Missing() {
			continue
		}
		name := rec.ID.String()
		i, ok := row[name]
		if !ok {
			i, ok = row[eval.KeyOf(rec.Path)]
		}
		if !ok {
			n.skip(name, missingEmbedding, "")
			n.r.MissingEmbeddings++
			continue
		}
		if name != eval.KeyOf(n.rows.Keys[i]) {
			n.names[int(i)] = name
		}
		used[i] = true
		of[rec.ID.Identity] = append(of[rec.ID.Identity], int(i))
	}
	for i, key := range n.rows.Keys {
		if !used[i] {
			n.skip(key, unknownImage, "the manifest has no such image")
			n.r.UnknownImages++
		}
	}
	if n.r.UnknownImages == len(n.rows.Keys) {
		return fmt.Errorf("%s: none of its %d keys, such as %q, is in the manifest", n.Embeddings, len(n.rows.Keys), n.rows.Keys[0])
	}
	return nil
}

// parts are those of the shards that the embeddings are held against.
func (n *noise) parts() []string {
	part := n.Part
	if part == "" {
		part = n.rows.Origin.Part
	}
	all := n.Shards.Parts()
	if slices.Contains(all, part) {
		return []string{part}
	}
	return all
}

// missingOfShards counts samples that have no embedding.
func (n *noise) missingOfShards() error {
	have := make(map[string]bool, len(n.rows.Keys))
	for _, key := range n.rows.Keys {
		have[eval.KeyOf(key)] = true
	}
	for _, name := range n.parts() {
		part, err := n.Shards.Part(name)
		if err != nil {
			return err
		}
		for i := range part.Len() {
			key, err := part.Key(i)
			if err != nil {
				return err
			}
			if !have[eval.KeyOf(key)] {
				n.skip(key, missingEmbedding, "of part "+name)
				n.r.MissingEmbeddings++
			}
		}
	}
	return nil
}

// zeros finds the rows that have no direction.
func (n *noise) zeros(ctx context.Context) (map[int]bool, error) {
	zero := make([]bool, len(n.rows.Keys))
	err := n.blocks(ctx, "check vectors", func(from, count int, x []float32) {
		parallel(count, func(i int) {
			v := x[i*n.rows.Width : (i+1)*n.rows.Width]
			zero[from+i] = !slices.ContainsFunc(v, func(f float32) bool { return f != 0 })
		})
	})
	if err != nil {
		return nil, err
	}
	out := map[int]bool{}
	for row, is := range zero {
		if is {
			out[row] = true
			n.skip(n.key(row), zeroEmbedding, "a vector of zeros")
			n.r.ZeroEmbeddings++
		}
	}
	return out, nil
}
