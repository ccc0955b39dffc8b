#include "engine/runner.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <map>

#include "base/check.h"
#include "base/math.h"
#include "engine/key_center.h"
#include "engine/runner_step.h"

namespace hearth {
namespace {

// Rows of logits computed at a time: enough to use a decoded strip of the head well, few enough
// that 64 x 262,144 floats (64 MiB) are the most that is ever held.
constexpr int64_t kHeadRows = 64;
// Steps of so many rows read more than they compute: one core alone has most of the speed of all.
constexpr int64_t kFewRows = 4;
constexpr int64_t kSerialWork = 4096;      // below so many values a region costs more than it saves

std::shared_ptr<ThreadPool> make_pool(int threads) {
  return std::make_shared<ThreadPool>(threads > 0 ? threads : default_threads());
}

}  // namespace

Result<Precision> parse_precision(std::string_view name) {
  if (name == "exact") return Precision::kExact;
  if (name == "high") return Precision::kHigh;
  if (name == "fast") return Precision::kFast;
  return fail(Code::kInvalid, "precision is exact, high or fast, not '{}'", name);
}

std::string_view name_of(Precision precision) {
  switch (precision) {
    case Precision::kExact: return "exact";
    case Precision::kHigh: return "high";
    case Precision::kFast: return "fast";
  }
  return "high";
}

KvType default_kv_type(Precision precision) {
  return precision == Precision::kExact ? KvType::kF32 : KvType::kF16;
}

Runner::Runner(std::shared_ptr<const Model> model, const RunnerOptions& options)
    : model_(std::move(model)),
      kernels_(options.kernels != nullptr ? options.kernels : &default_kernels()),
      precision_(options.precision),
      pool_(options.pool != nullptr ? options.pool : make_pool(options.threads)),
      step_(std::make_unique<Step>()) {
  for (int i = 0; i < pool_->threads(); ++i) {
    constexpr size_t kLine = 64;
    auto memory = std::make_unique_for_overwrite<std::byte[]>(kKernelScratchBytes + kLine);
    scratch_.push_back(memory.get() + (-reinterpret_cast<uintptr_t>(memory.get()) & (kLine - 1)));
    scratch_memory_.push_back(std::move(memory));
  }
  for (const RopeConfig& config : model_->program.ropes) ropes_.emplace_back(config);
  key_centers_.resize(model_->program.caches.size());
  for (const Op& op : model_->program.ops)
    if (op.kind == OpKind::kAttention)
      key_centers_[static_cast<size_t>(op.attention.cache)] =
          key_center(model_->program, model_->weights, op);
  buffers_.resize(model_->program.buffer_widths.size());
  schedule_ = schedule_of(model_->program,
                          [&](int32_t index) { return compute_for(weight(index), false); });
}

Runner::~Runner() = default;

std::string_view Runner::compute_name() const {
  std::map<Compute, int64_t> products;
  for (const Op& op : model_->program.ops) {
    if (op.kind != OpKind::kMatmul) continue;
    const Weight& w = weight(op.weight);
    products[compute_for(w, false)] += w.rows * w.cols;
  }
  const auto most = std::ranges::max_element(products, {}, [](const auto& p) { return p.second; });
  return name_of(most == products.end() ? Compute::kF32 : most->first);
}

Compute Runner::compute_for(const Weight& w, bool head) const {
  if (precision_ == Precision::kExact) return Compute::kF32;
  // The head has few rows: its weights are read either way, and a second digit costs nothing.
  if (kernels_->has_integers(w.encoding()) && w.cols <= kMaxIntegerK)
    return precision_ == Precision::kFast && !head ? Compute::kInt8 : Compute::kInt8x2;
  return kernels_->has_bf16 && &w.encoding() != &k_f32 ? Compute::kBf16 : Compute::kF32;
}

Compute Runner::attention_compute() const {
  return precision_ != Precision::kExact && kernels_->has_bf16 ? Compute::kBf16 : Compute::kF32;
}

float* Runner::buffer(Value value) {
  int32_t index = model_->program.buffer_of[static_cast<size_t>(value.id)];
  return buffers_[static_cast<size_t>(index)].data();
}

// f(begin, end) on every member's part of the rows; alone where there is little to do.
template <class F>
void Runner::parallel_rows(int64_t rows, int64_t work_per_row, F&& f) {
  if (rows == 1 || rows * work_per_row < kSerialWork) {
    f(int64_t{0}, rows);
    return;
  }
  pool_->run([&](int member) {
    auto part = ThreadPool::slice(rows, member, pool_->size());
    if (!part.empty()) f(part.begin, part.end);
  });
}

Result<void> Runner::prepare(const Batch& batch, KvCache& cache, Step& step) {
  step.rows = static_cast<int64_t>(batch.rows.size());
  step.segment_of.resize(batch.rows.size());
  for (const InputSegment& segment : batch.inputs) {
    size_t count = segment.tokens.empty()
                       ? segment.embeddings.size() / static_cast<size_t>(model_->config.embd)
                       : segment.tokens.size();
    for (size_t i = 0; i < count; ++i)
      step.segment_of[static_cast<size_t>(segment.first_row) + i] = &segment;
    for (TokenId id : segment.tokens)
      if (id < 0 || id >= model_->config.vocab)
        return fail(Code::kInvalid, "token id {} is outside the vocabulary of {}", id,
                    model_->config.vocab);
  }
  for (int64_t r = 0; r < step.rows; ++r) {
    const BatchRow& row = batch.rows[static_cast<size_t>(r)];
    step.positions.push_back(row.position);
    if (row.wants_logits) step.logit_rows.push_back(r);
    if (step.runs.empty() || step.runs.back().sequence != row.sequence)
      step.runs.push_back({row.sequence, r, r});
    step.runs.back().end = r + 1;
  }
  for (const Step::Run& run : step.runs) {
    CHECK(step.positions[static_cast<size_t>(run.begin)] == cache.length(run.sequence));
    TRY(cache.reserve(run.sequence, step.positions[static_cast<size_t>(run.end - 1)] + 1));
  }
  if (step.rows > buffer_rows_) {
    buffer_rows_ = step.rows;
    for (size_t i = 0; i < buffers_.size(); ++i)
      buffers_[i].resize(static_cast<size_t>(step.rows) *
                         static_cast<size_t>(model_->program.buffer_widths[i]));
    for (const Stage& stage : schedule_.stages)
      for (const Pack& p : stage.packs) {
        size_t bytes = activation_bytes(p.compute, width(p.value)) *
                       static_cast<size_t>(step.rows);
        std::vector<std::byte>& to = packed(p.slot, p.compute);
        if (to.size() < bytes) to.resize(bytes);
      }
  }
  rope_offsets_.clear();
  size_t total = 0;
  for (const RopeTable& table : ropes_) {
    rope_offsets_.push_back(total);
    total += static_cast<size_t>(step.rows * table.pairs());
  }
  cos_.resize(total);
  sin_.resize(total);
  for (size_t t = 0; t < ropes_.size(); ++t)
    parallel_rows(step.rows, ropes_[t].pairs() * 16, [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r) {
        size_t at = rope_offsets_[t] + static_cast<size_t>(r * ropes_[t].pairs());
        ropes_[t].at(step.positions[static_cast<size_t>(r)], &cos_[at], &sin_[at]);
      }
    });
  return {};
}

Result<void> Runner::forward(const Batch& batch, KvCache& cache, const LogitsSink& sink,
                             const std::atomic<bool>* cancel) {
  if (batch.rows.empty()) return {};
  Step& step = *step_;
  step.clear();
  step.batch = &batch, step.cache = &cache, step.sink = &sink;
  TRY(prepare(batch, cache, step));
  // The stage after which all stop. Each compares it with its own: a member that is late at one
  // stage must not see what the first one decides at the next, or it leaves and is waited for.
  const size_t stages = schedule_.stages.size();
  std::atomic<size_t> last{stages};
  std::atomic<bool> preempted{false};
  bool few = step.rows <= kFewRows;
  pool_->set_size(few ? crowding_.members(pool_->threads()) : pool_->threads());
  const auto start = std::chrono::steady_clock::now();
  pool_->run([&](int member) {
    const int64_t before = preemptions();
    for (size_t i = 0; i < stages; ++i) {
      run_stage(schedule_.stages[i], step, member);
      if (member == 0 && cancel != nullptr && cancel->load(std::memory_order_relaxed))
        last.store(i, std::memory_order_relaxed);
      pool_->barrier();
      if (last.load(std::memory_order_relaxed) <= i) return;
    }
    if (preemptions() != before) preempted.store(true, std::memory_order_relaxed);
  });
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  if (few) crowding_.after(preempted.load(), took.count());
  Result<void> ran;
  if (last.load() < stages) ran = fail(Code::kCancelled, "stopped");
  else if (schedule_.head >= 0)
    ran = head(model_->program.ops[static_cast<size_t>(schedule_.head)], step);
  if (!ran) {
    for (const Step::Run& run : step.runs) cache.rewind(run.sequence, cache.length(run.sequence));
    return ran;
  }
  for (const Step::Run& run : step.runs)
    cache.advance(run.sequence, step.positions[static_cast<size_t>(run.end - 1)] + 1);
  return {};
}

void Runner::head_product(const Op& op, int64_t rows) {
  const Weight& w = weight(op.weight);
  Compute compute = compute_for(w, true);
  const void* in = gathered_.data();
  if (compute != Compute::kF32) {
    size_t bytes = activation_bytes(compute, w.cols);
    gathered_packed_.resize(std::max(gathered_packed_.size(), bytes * static_cast<size_t>(rows)));
    for (int64_t r = 0; r < rows; ++r)
      kernels_->pack(gathered_.data() + r * w.cols, compute,
                     gathered_packed_.data() + bytes * static_cast<size_t>(r), w.cols);
    in = gathered_packed_.data();
  }
  pool_->run([&](int member) {
    auto part = ThreadPool::slice(w.rows, member, pool_->size(), kMatmulUnit);
    if (part.empty()) return;
    kernels_->matmul({.encoding = &w.encoding(), .weights = w.data(), .row_bytes = w.row_bytes(),
                      .k = w.cols, .x = in, .x_stride = w.cols, .rows = rows,
                      .y = logits_.data(), .y_stride = w.rows, .out_begin = part.begin,
                      .out_end = part.end, .bias = nullptr, .accumulate = false,
                      .compute = compute,
                      .scratch = scratch_[static_cast<size_t>(member)], .next = nullptr});
    if (op.number > 0)
      for (int64_t r = 0; r < rows; ++r)
        kernels_->softcap(logits_.data() + r * w.rows + part.begin, op.number,
                          part.end - part.begin);
  });
}

Result<void> Runner::head(const Op& op, Step& step) {
  const Weight& w = weight(op.weight);
  const float* x = buffer(op.a);
  auto wanted = static_cast<int64_t>(step.logit_rows.size());
  for (int64_t first = 0; first < wanted; first += kHeadRows) {
    int64_t rows = std::min(kHeadRows, wanted - first);
    gathered_.resize(std::max(gathered_.size(), static_cast<size_t>(rows * w.cols)));
    logits_.resize(std::max(logits_.size(), static_cast<size_t>(rows * w.rows)));
    for (int64_t i = 0; i < rows; ++i)
      std::memcpy(gathered_.data() + i * w.cols,
                  x + step.logit_rows[static_cast<size_t>(first + i)] * w.cols,
                  static_cast<size_t>(w.cols) * sizeof(float));
    head_product(op, rows);
    // Garbage in, no garbage out: what a sampler would make of these means nothing.
    if (!kernels_->all_finite(logits_.data(), rows * w.rows))
      return fail(Code::kCorrupt, "{}: the model gives no finite logits: its weights or its "
                                  "settings are damaged, or its numbers are too large to compute "
                                  "with", model_->file.path());
    (*step.sink)(first, rows, logits_.data(), w.rows);
  }
  return {};
}

void Runner::prefault(const std::function<void(double)>& done) {
  constexpr size_t kPage = 4096;
  double total = static_cast<double>(model_->weight_bytes()), read = 0;
  for (const Weight& w : model_->weights) {
    if (model_->shares_embedding(w)) continue;
    for (const Plane& plane : w.planes) {
      pool_->run([&](int member) {
        auto part = ThreadPool::slice(static_cast<int64_t>(plane.bytes.size()), member,
                                      pool_->size(), kPage);
        unsigned sum = 0;
        for (int64_t i = part.begin; i < part.end; i += kPage)
          sum += static_cast<unsigned>(plane.bytes[static_cast<size_t>(i)]);
        volatile unsigned sink = sum;  // the reads must happen
        (void)sink;
      });
      read += static_cast<double>(plane.bytes.size());
      if (done) done(std::min(1.0, read / total));
    }
  }
}

}  // namespace hearth
