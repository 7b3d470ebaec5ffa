// Package train fits a network to a shard set and leaves a run directory that says all about it.
//
//	runs/first/
//	  run.json                       command, configuration, seed, digests of the inputs, classes
//	  metrics.jsonl                  one JSON object a line, in the order of the steps
//	  events.out.tfevents.vf2prep    the same numbers for TensorBoard
//	  curves.png  curves.svg         loss and accuracy by epoch, learning rate by step
//	  best.safetensors               the weights with the smallest validation loss so far
//	  confusions.png  .csv           what its weights took validation's identities for
//	  filters.png                    its first convolution's filters
//	  checkpoint-0003-00000120/      where the run stands: 3 epochs done and 120 steps of the next
//	    weights.safetensors
//	    optimizer.safetensors        what the optimiser remembers, and gradients of an update to come
//	    average.safetensors          the running mean of the weights, with Config.EMA
//	    state.json                   position, running sums, history, digests of the two files
//	  lock                           while a training is at work
//
// The package knows neither faces nor files of pixels: batches come from package loader,
// gradients from package nn. It holds the loop, the optimisers and the checkpoints.
//
// # Guarantees
//
// The same shards, configuration and seed give the same weights, byte for byte, and the same
// metrics but for times, with any number of threads.
//
// A run may be stopped at any instant, by Ctrl-C, SIGKILL or a full disk: a checkpoint appears
// complete or not at all and the one before stays until then. Running again goes on from the
// newest one and ends with the weights that a run straight through ends with; metrics and
// events that were written after that checkpoint are cut off first, so no step is doubled.
//
// Values that are not finite are never saved: a loss that is NaN or infinite ends the run with
// an error wrapping [ErrDiverged] that names the epoch, the step and the batch's images.
package train
