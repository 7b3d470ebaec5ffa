package eval

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"sort"

	"github.com/vf2prep/vf2prep/internal/progress"
	"github.com/vf2prep/vf2prep/shard"
)

// IdentifyOptions say what to identify with which network.
type IdentifyOptions struct {
	Model    Model
	Classes  []string // identity by output of the network; nil: not known
	Recipe   string   // digest of the recipe of the training; "": not known
	Set      *shard.Set
	Part     string // "" is "val"
	Out      string // directory for the results, made where missing; "" writes nothing
	Curves   string // picture of the training curves for the report; "" or a missing file: none
	From     Provenance
	Progress progress.Reporter
}

// Identification is how well a network names the identities that it was trained on. It is
// written as result.json, one flat object.
type Identification struct {
	Top1             float64 `json:"top1"` // share of images whose identity has the highest score
	Top1Low          float64 `json:"top1_low"`
	Top1High         float64 `json:"top1_high"` // 95 % interval (Wilson)
	Top5             float64 `json:"top5"`      // .. is among the five highest
	Top5Low          float64 `json:"top5_low"`
	Top5High         float64 `json:"top5_high"`
	Loss             float64 `json:"loss"`              // mean cross-entropy, nats
	Chance           float64 `json:"chance"`            // top1 of guessing: 1 / classes
	IdentityAccuracy float64 `json:"identity_accuracy"` // mean over identities of their top1
	N                int     `json:"n"`                 // images used
	Skipped          int     `json:"skipped"`           // images of the part left out
	SkippedNoLabel   int     `json:"skipped_no_label"`  // .. of an identity that the network never saw
	Rejected         int     `json:"rejected"`          // images that never became samples: see the cache's rejects.csv
	Identities       int     `json:"identities"`        // that have an image in the part
	Classes          int     `json:"classes"`           // that the network tells apart
	Part             string  `json:"part"`
	Provenance
	Report string `json:"report,omitempty"` // where the report was written; not in the file itself

	CMC         []float64          `json:"-"` // share of images of rank 1, 2, .. at most
	PerIdentity []IdentityAccuracy `json:"-"` // by label
	Confusions  []Confusion        `json:"-"` // most frequent first
	Predictions []Prediction       `json:"-"` // in the shards' order
	Skips       []Skip             `json:"-"`
	Pictures    []Picture          `json:"-"`
}

// Prediction is what the network says of one image.
type Prediction struct {
	Key         string
	Label       int32
	Predicted   int32
	Rank        int     // of the right identity, from 1
	Probability float64 // softmax of the predicted identity
	Loss        float64 // nats
}

// IdentityAccuracy is the top-1 accuracy on one identity's images.
type IdentityAccuracy struct {
	Identity   string
	N, Correct int
}

// Confusion is how often images of one identity were taken for another.
type Confusion struct {
	Identity, TakenFor string
	Count, Of          int
}

// cmcRanks is how many ranks the rank list has.
const cmcRanks = 20

// Identify runs every labelled sample of a part through the network and counts where the right
// identity ranks among its scores. Of classes with equal scores the smaller label ranks first.
//
// Errors: wrapping [ErrMismatch] when the shards number other identities than the network, were
// made by another recipe or have another shape; naming the image when a score is NaN or infinite; when no sample has a
// label.
func Identify(ctx context.Context, o IdentifyOptions) (*Identification, error) {
	if o.Part == "" {
		o.Part = "val"
	}
	if err := checkClasses(o.Model, o.Classes, o.Set); err != nil {
		return nil, err
	}
	if err := checkRecipe(o.Set, o.Recipe); err != nil {
		return nil, err
	}
	res := &Identification{Part: o.Part, Classes: o.Model.Classes(), Provenance: o.From.of(o.Set)}
	res.Rejected = o.Set.Index().Parts[o.Part].Rejected
	if err := res.predict(ctx, o); err != nil {
		return nil, err
	}
	if len(res.Predictions) == 0 {
		return nil, fmt.Errorf("%s: part %s: none of %d images is of an identity that the network was trained on; to compare unknown faces use verification",
			o.Set.Dir(), o.Part, len(res.Skips))
	}
	res.count(o.Set.Index().Classes)
	if o.Out == "" {
		return res, nil
	}
	if err := os.MkdirAll(o.Out, 0o755); err != nil {
		return nil, err
	}
	if err := res.write(o); err != nil {
		return nil, err
	}
	res.Report = filepath.Join(o.Out, "report.html")
	return res, nil
}

func (r *Identification) predict(ctx context.Context, o IdentifyOptions) error {
	l, err := openPart(o.Model, o.Set, o.Part)
	if err != nil {
		return err
	}
	bar := progress.Or(o.Progress)
	bar.Start(int64(l.Len()), "identify "+o.Part)
	defer bar.Done()
	k := o.Model.Classes()
	for b, err := range l.Epoch(ctx, 0, 0) {
		if err != nil {
			return err
		}
		logits, _, err := o.Model.Infer(b.X, b.N)
		if err != nil {
			return err
		}
		for i, key := range b.Keys {
			label := b.Label[i]
			switch {
			case label < 0:
				r.Skips = append(r.Skips, Skip{key, "no-label", "identity is not among those that train"})
				continue
			case int(label) >= k:
				return fmt.Errorf("%s: label %d, the network has %d classes: %w", key, label, k, ErrMismatch)
			}
			p, err := judge(logits[i*k:(i+1)*k], label)
			if err != nil {
				return fmt.Errorf("%s: %w", key, err)
			}
			p.Key = key
			r.Predictions = append(r.Predictions, p)
		}
		bar.Add(int64(b.N))
	}
	return nil
}

// judge ranks the label among the scores of one image.
func judge(scores []float32, label int32) (Prediction, error) {
	p := Prediction{Label: label, Rank: 1}
	for i, v := range scores {
		if f := float64(v); math.IsNaN(f) || math.IsInf(f, 0) {
			return p, fmt.Errorf("score of class %d is %v", i, f)
		}
		if v > scores[p.Predicted] {
			p.Predicted = int32(i)
		}
		if own := scores[label]; v > own || v == own && int32(i) < label {
			p.Rank++
		}
	}
	// log of the sum of exponentials, with the highest taken out so that none overflows
	top := float64(scores[p.Predicted])
	sum := 0.0
	for _, v := range scores {
		sum += math.Exp(float64(v) - top)
	}
	p.Probability = 1 / sum
	p.Loss = math.Log(sum) + top - float64(scores[label])
	return p, nil
}

// count turns predictions into the result's numbers.
func (r *Identification) count(classes []string) {
	r.N = len(r.Predictions)
	r.Skipped = len(r.Skips)
	r.SkippedNoLabel = len(r.Skips)
	r.Chance = 1 / float64(r.Classes)

	atMost := make([]int, min(cmcRanks, r.Classes)+1) // images of rank k at most
	per := make([]IdentityAccuracy, len(classes))
	wrong := map[[2]int32]int{}
	for _, p := range r.Predictions {
		r.Loss += p.Loss
		for k := p.Rank; k < len(atMost); k++ {
			atMost[k]++
		}
		per[p.Label].N++
		if p.Rank == 1 {
			per[p.Label].Correct++
		} else {
			wrong[[2]int32{p.Label, p.Predicted}]++
		}
	}
	n := float64(r.N)
	r.Loss /= n
	for _, c := range atMost[1:] {
		r.CMC = append(r.CMC, float64(c)/n)
	}
	top1, top5 := atMost[1], atMost[min(5, len(atMost)-1)]
	r.Top1, r.Top5 = float64(top1)/n, float64(top5)/n
	r.Top1Low, r.Top1High = Wilson(top1, r.N)
	r.Top5Low, r.Top5High = Wilson(top5, r.N)

	for i, a := range per {
		if a.N > 0 {
			a.Identity = classes[i]
			r.PerIdentity = append(r.PerIdentity, a)
			r.IdentityAccuracy += float64(a.Correct) / float64(a.N)
		}
	}
	r.Identities = len(r.PerIdentity)
	r.IdentityAccuracy /= float64(r.Identities)

	for pair, c := range wrong {
		r.Confusions = append(r.Confusions, Confusion{classes[pair[0]], classes[pair[1]], c, per[pair[0]].N})
	}
	sort.Slice(r.Confusions, func(i, j int) bool {
		a, b := r.Confusions[i], r.Confusions[j]
		if a.Count != b.Count {
			return a.Count > b.Count
		}
		if a.Identity != b.Identity {
			return a.Identity < b.Identity
		}
		return a.TakenFor < b.TakenFor
	})
}
