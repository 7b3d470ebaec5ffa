package export

func (t *tfRecord) Finish(f *Finished, out *Output) error { return nil }
