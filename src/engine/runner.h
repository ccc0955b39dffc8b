// Runner: runs a model's program over a ragged batch and the paged cache, on this machine's
// processor. It owns the threads and the buffers; between calls it keeps nothing of a batch.
//
// Bits: for a precision and an instruction set, the logits of a row depend only on the tokens of
// its own sequence up to it, not on the batch, the chunk, the threads or what the cache holds of
// others (kernels/api.h has the order of sums).
#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "base/threads.h"
#include "engine/batch.h"
#include "engine/kv_cache.h"
#include "engine/schedule.h"
#include "kernels/api.h"
#include "model/model.h"

namespace hearth {

enum class Precision : uint8_t {
  kExact,  // float32 throughout
  kHigh,   // activations as two int8 digits beside quantized weights, else bf16 or float32
  kFast,   // activations as one int8 digit beside quantized weights, but for the output head
};

Result<Precision> parse_precision(std::string_view name);
std::string_view name_of(Precision precision);
KvType default_kv_type(Precision precision);

struct RunnerOptions {
  Precision precision = Precision::kHigh;
  int threads = 0;                     // 0: default_threads()
  const Kernels* kernels = nullptr;    // nullptr: default_kernels()
  // A team that several runners share, one of which runs at a time; nullptr: its own.
  std::shared_ptr<ThreadPool> pool = nullptr;
};

// Receives logits in chunks of rows: `rows` rows of `vocab` floats, stride apart; the first is
// row `first` among those of the batch that want logits, in order. They may be edited. Called on
// the caller's thread, between regions of the team.
using LogitsSink = std::function<void(int64_t first, int64_t rows, float* logits, int64_t stride)>;

class Runner {
 public:
  Runner(std::shared_ptr<const Model> model, const RunnerOptions& options);
  ~Runner();

  const Model& model() const { return *model_; }
  const Kernels& kernels() const { return *kernels_; }
  Precision precision() const { return precision_; }
  int threads() const { return pool_->threads(); }
  ThreadPool& pool() { return *pool_; }
  // What most of the matrix products compute in: "f32", "bf16", "int8" or "int8x2".
  std::string_view compute_name() const;

  // One step. Reserves cache for the rows and advances their sequences. kInvalid for token ids
  // outside the vocabulary, kTooLarge when the cache is full, kCancelled when `cancel` is set
  // (checked between layers; the cache then keeps the old lengths). kCorrupt when a logit is NaN or
  // infinite: `sink` never sees those, and the cache keeps the old lengths.
  Result<void> forward(const Batch& batch, KvCache& cache, const LogitsSink& sink,
                       const std::atomic<bool>* cancel = nullptr);

  // Reads every page of the weights once, on all threads, so that the first step finds them in
  // memory. `done` is told the share read, 0..1, now and then.
  void prefault(const std::function<void(double)>& done);

 private:
  struct Step;
  using Range = ThreadPool::Range;

  Result<void> prepare(const Batch& batch, KvCache& cache, Step& step);
  // One member's part of a stage (runner_stages.cc).
  void run_stage(const Stage& stage, Step& step, int member);
  void run_rows(const Stage& stage, Step& step, Range rows);
  void embed(const Op& op, Step& step, Range rows);
  void norm(const Op& op, Range rows);
  void rope(const Op& op, Range rows);
  void elementwise(const Op& op, Range rows, Range columns);
  void product(int32_t index, Step& step, Range columns, int member);
  const std::byte* next_weights(int32_t index, int member) const;
  void attention(const Stage& stage, Step& step, int member);
  void store_kv(const Op& op, Step& step, Range rows);
  void pack(const Pack& pack, Range rows, Range columns);

  Result<void> head(const Op& op, Step& step);
  void head_product(const Op& op, int64_t rows);
  Compute compute_for(const Weight& weight, bool head) const;
  Compute attention_compute() const;

  const Weight& weight(int32_t index) const { return model_->weights[static_cast<size_t>(index)]; }
  int64_t width(Value v) const { return model_->program.widths[static_cast<size_t>(v.id)]; }
  float* buffer(Value value);
  std::vector<std::byte>& packed(int32_t slot, Compute compute) {
    return packed_[slot][static_cast<size_t>(compute)];
  }
  template <class F>
  void parallel_rows(int64_t rows, int64_t work_per_row, F&& f);

  std::shared_ptr<const Model> model_;
  const Kernels* kernels_;
  Precision precision_;
  std::shared_ptr<ThreadPool> pool_;
  std::unique_ptr<Step> step_;  // reused, so that a step allocates nothing
  Crowding crowding_;
  Schedule schedule_;
  std::vector<std::vector<float>> buffers_;
  std::array<std::array<std::vector<std::byte>, kComputeCount>, 2> packed_;  // [slot][compute]
  int64_t buffer_rows_ = 0;  // that buffers_ and packed_ have room for
  std::vector<std::unique_ptr<std::byte[]>> scratch_memory_;
  std::vector<std::byte*> scratch_;  // per member, on a line of the cache
  std::vector<RopeTable> ropes_;
  std::vector<std::vector<float>> key_centers_;  // per cache; see key_center.h
  std::vector<float> cos_, sin_;      // of the step's rows: per table, row, pair
  std::vector<size_t> rope_offsets_;  // per table
  std::vector<float> gathered_, logits_;  // of the head
  std::vector<std::byte> gathered_packed_;
};

}  // namespace hearth
