package train

import "path/filepath"

// Result sums up a run, its earlier parts included. Under --json it is one flat object.
type Result struct {
	Run          string  `json:"run"`
	Epochs       int     `json:"epochs"` // finished
	Steps        int64   `json:"steps"`
	Parameters   int     `json:"parameters"`
	Classes      int     `json:"classes"`
	TrainImages  int     `json:"train_images"` // with a label
	ValImages    int     `json:"val_images"`   // with a label
	ImagesPerSec float64 `json:"images_per_second"`
	Starved      float64 `json:"starved"`        // share of the training's time that went by waiting for batches
	Seconds      float64 `json:"seconds"`        // validation and checkpoints included
	TrainLoss    float64 `json:"train_loss"`     // mean over the last epoch, while it went on
	TrainTop1    float64 `json:"train_accuracy"` // likewise

	// Of the kept weights, those of the epoch with the smallest validation loss; null where
	// nothing was validated.
	BestEpoch *int     `json:"best_epoch"`
	ValLoss   *float64 `json:"val_loss"`
	ValTop1   *float64 `json:"val_top1"`
	ValTop5   *float64 `json:"val_top5"`
	ValGender *float64 `json:"val_gender,omitempty"`  // share of genders that are right
	ValAge    *float64 `json:"val_age_mae,omitempty"` // mean absolute error, years

	Checkpoint      string `json:"checkpoint"`       // the kept weights
	Stopped         string `json:"stopped"`          // why it ended before its last epoch: "patience", "max-steps" or ""
	AlreadyFinished bool   `json:"already_finished"` // there was nothing left to do
	ResumedAt       int64  `json:"resumed_at_step"`  // steps that earlier commands had done
}

func newResult(o *Options, rec *Record, s *state) *Result {
	r := &Result{
		Run: o.Out, Epochs: len(s.History), Steps: s.TotalSteps,
		Parameters: rec.Parameters, Classes: len(rec.Classes),
		TrainImages: rec.TrainImages, ValImages: rec.ValImages,
		ImagesPerSec: share(float64(s.Images), s.TrainTime), Starved: share(s.Waited, s.TrainTime), Seconds: s.AllTime,
		Checkpoint: filepath.Join(place{s.Epoch, s.Step}.dir(o.Out), usableName(o.Config)),
		Stopped:    s.Stopped,
	}
	if n := len(s.History); n > 0 {
		r.TrainLoss, r.TrainTop1 = s.History[n-1].TrainLoss, s.History[n-1].TrainAccuracy
	}
	if b := s.best(); b != nil {
		r.BestEpoch, r.ValLoss, r.ValTop1, r.ValTop5 = &b.Epoch, &b.Val.Loss, &b.Val.Top1, &b.Val.Top5
		r.ValGender, r.ValAge = b.Val.Gender, b.Val.Age
		r.Checkpoint = filepath.Join(o.Out, BestName)
	}
	return r
}
