package augment

// Window says whether all that [Pipeline.Apply] does to a sample of h rows and w columns is to
// take the window that begins at row y, column x, and to mirror it if flip. It is not where
// values change or the window reaches into the padding; then the rest means nothing.
func (p *Pipeline) Window(h, w int, seed uint64, epoch int, key string) (y, x int, flip, only bool) {
	if p == nil {
		return 0, 0, false, true
	}
	_, ch, cw := p.OutputShape(1, h, w)
	do := p.choose(h, w, ch, cw, seed, epoch, key)
	return do.y, do.x, do.flip, do.plain(h, w, ch, cw)
}

// CenterWindow returns where the window of [Pipeline.Center] begins: row y, column x.
func (p *Pipeline) CenterWindow(h, w int) (y, x int) {
	_, ch, cw := p.OutputShape(1, h, w)
	return (h - ch) / 2, (w - cw) / 2
}
