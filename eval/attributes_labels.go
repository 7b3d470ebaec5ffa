package eval

import (
	"fmt"
	"strconv"

	"github.com/vf2prep/vf2prep/internal/digest"
	"github.com/vf2prep/vf2prep/manifest"
	"github.com/vf2prep/vf2prep/shard"
)

// shardLabels lists a part's images and what is known of them.
func shardLabels(set *shard.Set, name string) ([]Estimate, error) {
	part, err := set.Part(name)
	if err != nil {
		return nil, err
	}
	out := make([]Estimate, 0, part.Len())
	for i := range part.Len() {
		key, err := part.Key(i)
		if err != nil {
			return nil, err
		}
		age, gender, err := part.Person(i)
		if err != nil {
			return nil, err
		}
		e := unknownEstimate(key)
		e.AgeLabel, e.GenderLabel = float64(age), gender
		out = append(out, e)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s: part %s is empty", set.Dir(), name)
	}
	return out, nil
}

// manifestLabels lists a manifest's images, and its digest. An age that is a mean over an identity
// is the image's label only in name, but training would take it too.
func manifestLabels(path string) ([]Estimate, string, error) {
	m, err := manifest.Open(path)
	if err != nil {
		return nil, "", err
	}
	defer m.Close()
	var out []Estimate
	for rec, err := range m.All() {
		if err != nil {
			return nil, "", err
		}
		e := unknownEstimate(rec.ID.String())
		e.AgeLabel, e.GenderLabel = float64(rec.Age), int8(rec.Gender)
		out = append(out, e)
	}
	if len(out) == 0 {
		return nil, "", fmt.Errorf("%s: no images", path)
	}
	return out, m.Digest(), nil
}

// labelDigest names what was asked: the keys, sorted, with their labels. Two results with one digest
// were judged on the same images by the same labels.
func labelDigest(list []Estimate) string {
	h := digest.New()
	var b []byte
	for _, e := range list {
		b = append(append(b[:0], e.Key...), '\t')
		b = append(strconv.AppendFloat(b, e.AgeLabel, 'g', -1, 64), '\t')
		b = append(append(b, genderName(e.GenderLabel)...), '\n')
		_, _ = h.Write(b)
	}
	return h.String()
}
