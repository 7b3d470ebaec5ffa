package curate

import "image"

// joined is two lists one behind the other.
type joined struct{ first, second pictures }

func (j *joined) of(i int) (pictures, int) {
	if n := j.first.len(); i >= n {
		return j.second, i - n
	}
	return j.first, i
}

func (j *joined) inputs() map[string]string {
	out := map[string]string{}
	for name, digest := range j.first.inputs() {
		out[name] = digest
	}
	for name, digest := range j.second.inputs() {
		out["benchmark_"+name] = digest
	}
	return out
}

func (j *joined) anonymous() bool   { return j.first.anonymous() }
func (j *joined) len() int          { return j.first.len() + j.second.len() }
func (j *joined) key(i int) string  { p, k := j.of(i); return p.key(k) }
func (j *joined) part(i int) string { p, k := j.of(i); return p.part(k) }
func (j *joined) pixels(i int) int  { p, k := j.of(i); return p.pixels(k) }
func (j *joined) id(i int) uint64   { p, k := j.of(i); return p.id(k) }
func (j *joined) shrink(i int, t *thumb) (uint64, error) {
	p, k := j.of(i)
	return p.shrink(k, t)
}
func (j *joined) show(i int) (image.Image, error) {
	p, k := j.of(i)
	return p.show(k)
}
func (j *joined) close() {
	j.first.close()
	j.second.close()
}
