#include "engine/runner.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "base/math.h"

namespace hearth {
namespace {

// Rows of logits computed at a time: enough to use a decoded strip of the head well, few enough
// that 64 x 262,144 floats (64 MiB) are the most that is ever held.
constexpr int64_t kHeadRows = 64;
constexpr int64_t kSerialWork = 4096;  // below so many values a region costs more than it saves

// Query rows per work item of attention: it packs keys and values once for all of them and their
// group of heads, and there must be items enough for every member.
int64_t attention_rows(int64_t group) { return std::clamp<int64_t>(256 / group, 32, 128); }

struct Run {  // neighbouring rows of one sequence
  SequenceId sequence;
  int64_t begin, end;
};

}  // namespace

struct Runner::Step {
  const Batch* batch;
  KvCache* cache;
  const LogitsSink* sink;
  int64_t rows = 0;
  std::vector<Run> runs;
  std::vector<int32_t> positions;
  std::vector<const InputSegment*> segment_of;
  std::vector<int64_t> logit_rows;
};

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
      pool_(options.threads > 0 ? options.threads : default_threads()) {
  for (int i = 0; i < pool_.size(); ++i)
    scratch_.push_back(std::make_unique_for_overwrite<std::byte[]>(kKernelScratchBytes));
  for (const RopeConfig& config : model_->program.ropes) ropes_.emplace_back(config);
  buffers_.resize(model_->program.buffer_widths.size());
}

Runner::~Runner() = default;

std::string_view Runner::compute_name() const {
  return precision_ != Precision::kExact && kernels_->has_bf16 ? "bf16" : "f32";
}

Compute Runner::compute_for(const Weight& w) const {
  bool bf16 = precision_ != Precision::kExact && kernels_->has_bf16 && &w.encoding() != &k_f32;
  return bf16 ? Compute::kBf16 : Compute::kF32;
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
  pool_.run([&](int member) {
    auto part = ThreadPool::slice(rows, member, pool_.size());
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
  for (const Run& run : step.runs) {
    CHECK(step.positions[static_cast<size_t>(run.begin)] == cache.length(run.sequence));
    TRY(cache.reserve(run.sequence, step.positions[static_cast<size_t>(run.end - 1)] + 1));
  }
  if (step.rows > buffer_rows_) {
    buffer_rows_ = step.rows;
    for (size_t i = 0; i < buffers_.size(); ++i)
      buffers_[i].resize(static_cast<size_t>(step.rows) *
                         static_cast<size_t>(model_->program.buffer_widths[i]));
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
  Step step{.batch = &batch, .cache = &cache, .sink = &sink};
  TRY(prepare(batch, cache, step));
  bf16_of_ = -1;
  int32_t layer = -1;
  Result<void> ran;
  for (const Op& op : model_->program.ops) {
    if (op.layer != layer && cancel != nullptr && cancel->load(std::memory_order_relaxed))
      ran = fail(Code::kCancelled, "stopped");
    else
      ran = run_op(op, step);
    if (!ran) {
      for (const Run& run : step.runs) cache.rewind(run.sequence, cache.length(run.sequence));
      return ran;
    }
    layer = op.layer;
  }
  for (const Run& run : step.runs)
    cache.advance(run.sequence, step.positions[static_cast<size_t>(run.end - 1)] + 1);
  return {};
}

Result<void> Runner::run_op(const Op& op, Step& step) {
  switch (op.kind) {
    case OpKind::kEmbed: embed(op, step); break;
    case OpKind::kScale: case OpKind::kSiluMul: case OpKind::kGeluMul: case OpKind::kAdd:
      elementwise(op, step);
      break;
    case OpKind::kRmsNorm: norm(op, step); break;
    case OpKind::kMatmul: matmul(op, step); break;
    case OpKind::kRope: rope(op, step); break;
    case OpKind::kAttention: attention(op, step); break;
    case OpKind::kHead: return head(op, step);
  }
  return {};
}

void Runner::embed(const Op& op, Step& step) {
  const Weight& w = weight(op.weight);
  float* out = buffer(op.out);
  parallel_rows(step.rows, w.cols, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const InputSegment& segment = *step.segment_of[static_cast<size_t>(r)];
      auto i = static_cast<size_t>(r - segment.first_row);
      if (segment.tokens.empty())
        std::memcpy(out + r * w.cols, segment.embeddings.data() + i * static_cast<size_t>(w.cols),
                    static_cast<size_t>(w.cols) * sizeof(float));
      else
        kernels_->decode_row(w.encoding(),
                             w.data() + static_cast<size_t>(segment.tokens[i]) * w.row_bytes(),
                             out + r * w.cols, w.cols);
    }
  });
}

void Runner::elementwise(const Op& op, Step& step) {
  int64_t width = model_->program.widths[static_cast<size_t>(op.out.id)];
  const float* a = buffer(op.a);
  const float* b = op.b ? buffer(op.b) : nullptr;
  float* out = buffer(op.out);
  parallel_rows(step.rows, width, [&](int64_t begin, int64_t end) {
    int64_t at = begin * width, count = (end - begin) * width;
    switch (op.kind) {
      case OpKind::kScale: kernels_->scale(a + at, op.number, out + at, count); break;
      case OpKind::kSiluMul: kernels_->silu_mul(a + at, b + at, out + at, count); break;
      case OpKind::kGeluMul: kernels_->gelu_tanh_mul(a + at, b + at, out + at, count); break;
      default: kernels_->add(a + at, b + at, out + at, count); break;
    }
  });
}

void Runner::norm(const Op& op, Step& step) {
  int64_t width = model_->program.widths[static_cast<size_t>(op.out.id)] / op.heads;
  const auto* factors = reinterpret_cast<const float*>(weight(op.weight).data());
  const float* a = buffer(op.a);
  float* out = buffer(op.out);
  parallel_rows(step.rows * op.heads, width, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      kernels_->rms_norm(a + i * width, factors, op.number, out + i * width, width);
  });
}

const void* Runner::activations(const float* x, int64_t rows, int64_t width, Compute compute,
                                int32_t value_id) {
  if (compute == Compute::kF32) return x;
  if (value_id >= 0 && bf16_of_ == value_id) return bf16_.data();
  bf16_of_ = value_id;
  bf16_.resize(std::max(bf16_.size(), static_cast<size_t>(rows * width)));
  parallel_rows(rows, width, [&](int64_t begin, int64_t end) {
    kernels_->to_bf16(x + begin * width, bf16_.data() + begin * width, (end - begin) * width);
  });
  return bf16_.data();
}

void Runner::matmul(const Op& op, Step& step) {
  const Weight& w = weight(op.weight);
  float* out = buffer(op.out);
  Compute compute = compute_for(w);
  const void* x = activations(buffer(op.a), step.rows, w.cols, compute, op.a.id);
  if (op.b && buffer(op.b) != out)
    std::memcpy(out, buffer(op.b), static_cast<size_t>(step.rows * w.rows) * sizeof(float));
  MatmulArgs args{.encoding = &w.encoding(),
                  .weights = w.data(),
                  .row_bytes = w.row_bytes(),
                  .k = w.cols,
                  .x = x,
                  .x_stride = w.cols,
                  .rows = step.rows,
                  .y = out,
                  .y_stride = w.rows,
                  .bias = op.bias < 0 ? nullptr
                                      : reinterpret_cast<const float*>(weight(op.bias).data()),
                  .accumulate = static_cast<bool>(op.b),
                  .compute = compute};
  pool_.run([&](int member) {
    auto part = ThreadPool::slice(w.rows, member, pool_.size(), 16);
    if (part.empty()) return;
    MatmulArgs mine = args;
    mine.out_begin = part.begin;
    mine.out_end = part.end;
    mine.scratch = scratch_[static_cast<size_t>(member)].get();
    kernels_->matmul(mine);
  });
}

void Runner::rope(const Op& op, Step& step) {
  auto t = static_cast<size_t>(op.table);
  int64_t width = model_->program.widths[static_cast<size_t>(op.out.id)];
  int64_t head_dim = width / op.heads, pairs = ropes_[t].pairs();
  float* out = buffer(op.out);
  const float* in = buffer(op.a);
  if (in != out) std::memcpy(out, in, static_cast<size_t>(step.rows * width) * sizeof(float));
  parallel_rows(step.rows, width, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      size_t at = rope_offsets_[t] + static_cast<size_t>(r * pairs);
      for (int64_t h = 0; h < op.heads; ++h)
        kernels_->rope(out + r * width + h * head_dim, &cos_[at], &sin_[at], pairs,
                       ropes_[t].interleaved());
    }
  });
}

void Runner::store_kv(const Op& op, Step& step) {
  const AttentionSpec& spec = op.attention;
  KvCache& cache = *step.cache;
  auto put = [&](const float* from, std::byte* block, size_t offset, int32_t slot, int32_t dim) {
    auto first = static_cast<size_t>(slot) * static_cast<size_t>(dim);
    if (cache.type() == KvType::kF32)
      std::memcpy(block + offset + first * 4, from, static_cast<size_t>(dim) * 4);
    else
      kernels_->to_f16(from, reinterpret_cast<uint16_t*>(block + offset) + first, dim);
  };
  const float *keys = buffer(op.b), *values = buffer(op.c);
  for (const Run& run : step.runs) {
    auto blocks = cache.blocks(run.sequence, spec.cache);
    parallel_rows(run.end - run.begin, spec.kv_heads * spec.head_dim * 2, [&](int64_t begin,
                                                                              int64_t end) {
      for (int64_t r = run.begin + begin; r < run.begin + end; ++r) {
        int32_t position = step.positions[static_cast<size_t>(r)];
        auto* block = const_cast<std::byte*>(blocks[static_cast<size_t>(position / kKvBlock)]);
        int32_t slot = position % kKvBlock;
        for (int32_t h = 0; h < spec.kv_heads; ++h) {
          put(keys + (r * spec.kv_heads + h) * spec.head_dim, block,
              cache.key_offset(spec.cache, h), slot, spec.head_dim);
          put(values + (r * spec.kv_heads + h) * spec.value_dim, block,
              cache.value_offset(spec.cache, h), slot, spec.value_dim);
        }
      }
    });
  }
}

void Runner::attention(const Op& op, Step& step) {
  store_kv(op, step);
  const AttentionSpec& spec = op.attention;
  const float* q = buffer(op.a);
  float* out = buffer(op.out);
  int32_t group = spec.heads / spec.kv_heads;
  int64_t some_rows = attention_rows(group);
  int64_t q_width = int64_t{spec.heads} * spec.head_dim;
  int64_t out_width = int64_t{spec.heads} * spec.value_dim;
  pool_.run([&](int member) {
    int64_t item = 0;  // dealt out in turn: later rows of a prompt see more and cost more
    for (const Run& run : step.runs) {
      auto blocks = step.cache->blocks(run.sequence, spec.cache);
      for (int64_t r = run.begin; r < run.end; r += some_rows)
        for (int32_t h = 0; h < spec.kv_heads; ++h) {
          if (item++ % pool_.size() != member) continue;
          kernels_->attention({.q = q + r * q_width + int64_t{h} * group * spec.head_dim,
                               .q_stride = q_width,
                               .out = out + r * out_width + int64_t{h} * group * spec.value_dim,
                               .out_stride = out_width,
                               .positions = step.positions.data() + r,
                               .rows = std::min(some_rows, run.end - r),
                               .group = group,
                               .head_dim = spec.head_dim,
                               .value_dim = spec.value_dim,
                               .k_blocks = blocks.data(),
                               .v_blocks = blocks.data(),
                               .k_head_offset = step.cache->key_offset(spec.cache, h),
                               .v_head_offset = step.cache->value_offset(spec.cache, h),
                               .kv_type = step.cache->type(),
                               .compute = attention_compute(),
                               .scale = spec.scale,
                               .softcap = spec.softcap,
                               .window = spec.window,
                               .scratch = scratch_[static_cast<size_t>(member)].get()});
        }
    }
  });
}

Result<void> Runner::head(const Op& op, Step& step) {
  const Weight& w = weight(op.weight);
  const float* x = buffer(op.a);
  auto wanted = static_cast<int64_t>(step.logit_rows.size());
  Compute compute = compute_for(w);
  for (int64_t first = 0; first < wanted; first += kHeadRows) {
    int64_t rows = std::min(kHeadRows, wanted - first);
    gathered_.resize(std::max(gathered_.size(), static_cast<size_t>(rows * w.cols)));
    logits_.resize(std::max(logits_.size(), static_cast<size_t>(rows * w.rows)));
    for (int64_t i = 0; i < rows; ++i)
      std::memcpy(gathered_.data() + i * w.cols,
                  x + step.logit_rows[static_cast<size_t>(first + i)] * w.cols,
                  static_cast<size_t>(w.cols) * sizeof(float));
    const void* in = activations(gathered_.data(), rows, w.cols, compute, -1);
    pool_.run([&](int member) {
      auto part = ThreadPool::slice(w.rows, member, pool_.size(), 16);
      if (part.empty()) return;
      kernels_->matmul({.encoding = &w.encoding(), .weights = w.data(),
                        .row_bytes = w.row_bytes(), .k = w.cols, .x = in, .x_stride = w.cols,
                        .rows = rows, .y = logits_.data(), .y_stride = w.rows,
                        .out_begin = part.begin, .out_end = part.end, .bias = nullptr,
                        .accumulate = false, .compute = compute,
                        .scratch = scratch_[static_cast<size_t>(member)].get()});
    });
    if (op.number > 0)
      parallel_rows(rows, w.rows, [&](int64_t begin, int64_t end) {
        kernels_->softcap(logits_.data() + begin * w.rows, op.number, (end - begin) * w.rows);
      });
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
      pool_.run([&](int member) {
        auto part = ThreadPool::slice(static_cast<int64_t>(plane.bytes.size()), member,
                                      pool_.size(), kPage);
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
