package train

import (
	"fmt"
	"math"
	"slices"

	"github.com/vf2prep/vf2prep/loader"
	"github.com/vf2prep/vf2prep/nn"
	"github.com/vf2prep/vf2prep/nn/kernel"
	"github.com/vf2prep/vf2prep/shard"
)

// network is the network that a configuration asks for, c x h x w pixels and so many classes.
// Errors wrap [ErrOption].
func (c Config) network(channels, h, w, classes, batch int) (nn.Config, error) {
	heads, err := nn.ParseHeads(c.Heads)
	if err != nil {
		return nn.Config{}, fmt.Errorf("%w: heads: %w", ErrOption, err)
	}
	return nn.Config{
		Arch: c.Arch, Channels: channels, Height: h, Width: w, Classes: classes, Batch: batch, Seed: c.Seed,
		Heads: heads, Embedding: c.Embedding, EmbeddingBias: c.EmbeddingBias, Alpha: c.Alpha, Mining: kernel.Mining(c.Mining),
		LabelSmoothing: c.LabelSmoothing, Dropout: c.Dropout, Frozen: list(c.Freeze),
	}, nil
}

// named reports whether the run learns who somebody is.
func (c Config) named() bool {
	heads, err := nn.ParseHeads(c.Heads)
	return err == nil && slices.ContainsFunc(heads, func(h nn.Head) bool { return h.Kind.Named() }) // mistakes: see network
}

// known counts the samples of a part whose target a head knows, by head, and those that some head
// knows; it checks that labels are classes.
func known(set *shard.Set, name string, heads []nn.Head) (byHead map[nn.HeadKind]int, any int, err error) {
	part, err := set.Part(name)
	if err != nil {
		return nil, 0, err
	}
	classes := len(set.Index().Classes)
	byHead = map[nn.HeadKind]int{}
	for i := range part.Len() {
		label, err := part.Label(i)
		if err != nil {
			return nil, 0, err
		}
		if int(label) >= classes {
			key, _ := part.Key(i)
			return nil, 0, fmt.Errorf("part %s: %s has label %d, there are %d classes: %w", name, key, label, classes, shard.ErrCorrupt)
		}
		age, gender, err := part.Person(i)
		if err != nil {
			return nil, 0, err
		}
		some := false
		for _, h := range heads {
			if hasTarget(h.Kind, label, age, gender) {
				byHead[h.Kind]++
				some = true
			}
		}
		if some {
			any++
		}
	}
	return byHead, any, nil
}

// hasTarget reports whether a head can learn from a sample.
func hasTarget(k nn.HeadKind, label int32, age float32, gender int8) bool {
	switch k {
	case nn.Gender:
		return gender >= 0
	case nn.Age, nn.AgeRank:
		return age == age
	}
	return label >= 0
}

// targets counts the samples of a batch that some head can learn from.
func (j *job) targets(b *loader.Batch) (n int) {
	for i := range b.N {
		for _, h := range j.net.Config().Heads {
			if hasTarget(h.Kind, b.Label[i], b.Age[i], b.Gender[i]) {
				n++
				break
			}
		}
	}
	return n
}

// padded returns a batch of full size: the last one of an epoch is filled up with images of
// zeros of which nothing is known, which the loss leaves out.
func (j *job) padded(b *loader.Batch) ([]float32, nn.Targets) {
	if b.N == j.o.Batch {
		return b.X, nn.Targets{Label: b.Label, Age: b.Age, Gender: b.Gender}
	}
	c, h, w := j.train.Shape()
	x := make([]float32, j.o.Batch*c*h*w)
	copy(x, b.X[:b.N*c*h*w])
	t := nn.Targets{Label: make([]int32, j.o.Batch), Age: make([]float32, j.o.Batch), Gender: make([]int8, j.o.Batch)}
	for i := range t.Label {
		t.Label[i], t.Age[i], t.Gender[i] = -1, float32(math.NaN()), -1
	}
	copy(t.Label, b.Label[:b.N])
	copy(t.Age, b.Age[:b.N])
	copy(t.Gender, b.Gender[:b.N])
	return x, t
}
