// The stages of a step: what each member of the pool does of them.
#include <algorithm>
#include <array>
#include <cstring>
#include <functional>

#include "engine/runner.h"
#include "engine/runner_step.h"

namespace hearth {
namespace {

// Query rows per work item of attention: it packs keys and values once for all of them and their
// group of heads, and there must be items enough for every member.
int64_t attention_rows(int64_t group) { return std::clamp<int64_t>(256 / group, 32, 128); }

}  // namespace

void Runner::run_stage(const Stage& stage, Step& step, int member) {
  const Range rows{0, step.rows};
  switch (stage.kind) {
    case Stage::Kind::kRows:
      run_rows(stage, step, ThreadPool::slice(step.rows, member, pool_->size()));
      break;
    case Stage::Kind::kColumns: {
      auto part = [&](Value v) {
        return ThreadPool::slice(width(v), member, pool_->size(), kMatmulUnit);
      };
      for (int32_t i : stage.ops) {
        const Op& op = model_->program.ops[static_cast<size_t>(i)];
        if (op.kind == OpKind::kMatmul) product(i, step, part(op.out), member);
        else elementwise(op, rows, part(op.out));
      }
      for (const Pack& p : stage.packs) pack(p, rows, part(p.value));
      break;
    }
    case Stage::Kind::kAttention: attention(stage, step, member); break;
  }
}

void Runner::run_rows(const Stage& stage, Step& step, Range rows) {
  if (rows.empty()) return;
  for (int32_t i : stage.ops) {
    const Op& op = model_->program.ops[static_cast<size_t>(i)];
    switch (op.kind) {
      case OpKind::kEmbed: embed(op, step, rows); break;
      case OpKind::kRmsNorm: norm(op, rows); break;
      case OpKind::kRope: rope(op, rows); break;
      default: elementwise(op, rows, {0, width(op.out)}); break;
    }
  }
  if (stage.store >= 0)
    store_kv(model_->program.ops[static_cast<size_t>(stage.store)], step, rows);
  for (const Pack& p : stage.packs) pack(p, rows, {0, width(p.value)});
}

void Runner::embed(const Op& op, Step& step, Range rows) {
  const Weight& w = weight(op.weight);
  float* out = buffer(op.out);
  for (int64_t r = rows.begin; r < rows.end; ++r) {
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
}

void Runner::elementwise(const Op& op, Range rows, Range columns) {
  int64_t stride = width(op.out), count = columns.end - columns.begin;
  const float* a = buffer(op.a);
  const float* b = op.b ? buffer(op.b) : nullptr;
  float* out = buffer(op.out);
  if (count == stride) {  // whole rows lie one after the other
    count *= rows.end - rows.begin;
    rows.end = std::min(rows.end, rows.begin + 1);
  }
  for (int64_t r = rows.begin; r < rows.end; ++r) {
    int64_t at = r * stride + columns.begin;
    switch (op.kind) {
      case OpKind::kScale: kernels_->scale(a + at, op.number, out + at, count); break;
      case OpKind::kSiluMul: kernels_->silu_mul(a + at, b + at, out + at, count); break;
      case OpKind::kGeluMul: kernels_->gelu_tanh_mul(a + at, b + at, out + at, count); break;
      default: kernels_->add(a + at, b + at, out + at, count); break;
    }
  }
}

void Runner::norm(const Op& op, Range rows) {
  int64_t head = width(op.out) / op.heads;
  const auto* factors = reinterpret_cast<const float*>(weight(op.weight).data());
  const float* a = buffer(op.a);
  float* out = buffer(op.out);
  for (int64_t i = rows.begin * op.heads; i < rows.end * op.heads; ++i)
    kernels_->rms_norm(a + i * head, factors, op.number, out + i * head, head);
}

void Runner::rope(const Op& op, Range rows) {
  auto t = static_cast<size_t>(op.table);
  int64_t all = width(op.out), head_dim = all / op.heads, pairs = ropes_[t].pairs();
  float* out = buffer(op.out);
  const float* in = buffer(op.a);
  if (in != out)
    std::memcpy(out + rows.begin * all, in + rows.begin * all,
                static_cast<size_t>((rows.end - rows.begin) * all) * sizeof(float));
  for (int64_t r = rows.begin; r < rows.end; ++r) {
    size_t at = rope_offsets_[t] + static_cast<size_t>(r * pairs);
    for (int64_t h = 0; h < op.heads; ++h)
      kernels_->rope(out + r * all + h * head_dim, &cos_[at], &sin_[at], pairs,
                     ropes_[t].interleaved());
  }
}

void Runner::pack(const Pack& p, Range rows, Range columns) {
  int64_t stride = width(p.value), count = columns.end - columns.begin;
  if (count == 0) return;
  const float* from = buffer(p.value);
  std::byte* to = packed(p.slot, p.compute).data();
  auto row_bytes = static_cast<int64_t>(activation_bytes(p.compute, stride));
  auto offset = static_cast<int64_t>(activation_bytes(p.compute, columns.begin));
  for (int64_t r = rows.begin; r < rows.end; ++r)
    kernels_->pack(from + r * stride + columns.begin, p.compute, to + r * row_bytes + offset,
                   count);
}

void Runner::product(int32_t index, Step& step, Range columns, int member) {
  if (columns.empty()) return;
  const Op& op = model_->program.ops[static_cast<size_t>(index)];
  const Weight& w = weight(op.weight);
  Compute compute = schedule_.computes[static_cast<size_t>(index)];
  int32_t slot = schedule_.slots[static_cast<size_t>(index)];
  float* out = buffer(op.out);
  if (op.b && buffer(op.b) != out)
    for (int64_t r = 0; r < step.rows; ++r)
      std::memcpy(out + r * w.rows + columns.begin, buffer(op.b) + r * w.rows + columns.begin,
                  static_cast<size_t>(columns.end - columns.begin) * sizeof(float));
  kernels_->matmul(
      {.encoding = &w.encoding(),
       .weights = w.data(),
       .row_bytes = w.row_bytes(),
       .k = w.cols,
       .x = slot < 0 ? static_cast<const void*>(buffer(op.a)) : packed(slot, compute).data(),
       .x_stride = w.cols,
       .rows = step.rows,
       .y = out,
       .y_stride = w.rows,
       .out_begin = columns.begin,
       .out_end = columns.end,
       .bias = op.bias < 0 ? nullptr : reinterpret_cast<const float*>(weight(op.bias).data()),
       .accumulate = static_cast<bool>(op.b),
       .compute = compute,
       .scratch = scratch_[static_cast<size_t>(member)],
       .next = next_weights(index, member)});
}

// What this member reads after product `index`: the first rows of its part of the product to come.
const std::byte* Runner::next_weights(int32_t index, int member) const {
  const std::vector<Op>& ops = model_->program.ops;
  for (size_t i = static_cast<size_t>(index) + 1; i < ops.size(); ++i) {
    if (ops[i].kind != OpKind::kMatmul && ops[i].kind != OpKind::kHead) continue;
    const Weight& w = weight(ops[i].weight);
    auto part = ThreadPool::slice(w.rows, member, pool_->size(), kMatmulUnit);
    return w.data() + static_cast<size_t>(part.begin) * w.row_bytes();
  }
  return nullptr;
}

void Runner::store_kv(const Op& op, Step& step, Range rows) {
  const AttentionSpec& spec = op.attention;
  KvCache& cache = *step.cache;
  const float *keys = buffer(op.b), *values = buffer(op.c);
  const std::vector<float>& center = key_centers_[static_cast<size_t>(spec.cache)];
  const bool centered = !center.empty() && cache.type() != KvType::kF32;
  std::array<float, kHeadMost> less;
  // A key less what all keys of the head have in common.
  auto key_of = [&](int64_t row, int32_t head) -> const float* {
    const float* key = keys + (row * spec.kv_heads + head) * spec.head_dim;
    if (!centered) return key;
    const float* common = center.data() + int64_t{head} * spec.head_dim;
    std::transform(key, key + spec.head_dim, common, less.begin(), std::minus<>());
    return less.data();
  };
  for (const Step::Run& run : step.runs) {
    auto blocks = cache.blocks(run.sequence, spec.cache);
    for (int64_t r = std::max(run.begin, rows.begin); r < std::min(run.end, rows.end); ++r) {
      int32_t position = step.positions[static_cast<size_t>(r)];
      auto* block = const_cast<std::byte*>(blocks[static_cast<size_t>(position / kKvBlock)]);
      int32_t slot = position % kKvBlock;
      for (int32_t h = 0; h < spec.kv_heads; ++h) {
        store_key(*kernels_, cache.type(), key_of(r, h), spec.head_dim, slot,
                  block + cache.key_offset(spec.cache, h));
        store_value(*kernels_, cache.type(), values + (r * spec.kv_heads + h) * spec.value_dim,
                    spec.value_dim, slot, block + cache.value_offset(spec.cache, h));
      }
    }
  }
}

void Runner::attention(const Stage& stage, Step& step, int member) {
  const Op& op = model_->program.ops[static_cast<size_t>(stage.ops.front())];
  const AttentionSpec& spec = op.attention;
  int32_t group = spec.heads / spec.kv_heads;
  int64_t some_rows = attention_rows(group);
  int64_t q_width = int64_t{spec.heads} * spec.head_dim;
  int64_t out_width = int64_t{spec.heads} * spec.value_dim;
  int64_t item = 0;  // dealt out in turn: later rows of a prompt see more and cost more
  for (const Step::Run& run : step.runs) {
    auto blocks = step.cache->blocks(run.sequence, spec.cache);
    for (int64_t r = run.begin; r < run.end; r += some_rows)
      for (int32_t h = 0; h < spec.kv_heads; ++h) {
        if (item++ % pool_->size() != member) continue;
        int64_t rows = std::min(some_rows, run.end - r);
        int64_t column = int64_t{h} * group * spec.value_dim;
        kernels_->attention({.q = buffer(op.a) + r * q_width + int64_t{h} * group * spec.head_dim,
                             .q_stride = q_width,
                             .out = buffer(op.out) + r * out_width + column,
                             .out_stride = out_width,
                             .positions = step.positions.data() + r,
                             .rows = rows,
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
                             .scratch = scratch_[static_cast<size_t>(member)]});
        for (const Pack& p : stage.packs)
          pack(p, {r, r + rows}, {column, column + int64_t{group} * spec.value_dim});
      }
  }
}

}  // namespace hearth
