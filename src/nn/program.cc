#include "nn/program.h"

#include <algorithm>

#include "base/check.h"

namespace hearth {
namespace {

// The operand that an operation may overwrite with its result, element by element. kHead and
// kAttention read whole vectors while they write, and kEmbed has no operand.
Value in_place_operand(const Op& op) {
  switch (op.kind) {
    case OpKind::kScale: case OpKind::kRmsNorm: case OpKind::kRope:
    case OpKind::kSiluMul: case OpKind::kGeluMul: case OpKind::kAdd:
      return op.a;
    case OpKind::kMatmul: return op.b;  // the residual
    case OpKind::kEmbed: case OpKind::kAttention: case OpKind::kHead: return {};
  }
  return {};
}

}  // namespace

void Program::plan_buffers() {
  std::vector<size_t> last_use(widths.size(), 0);
  for (size_t i = 0; i < ops.size(); ++i)
    for (Value v : {ops[i].a, ops[i].b, ops[i].c})
      if (v) last_use[static_cast<size_t>(v.id)] = i;

  buffer_of.assign(widths.size(), -1);
  buffer_widths.clear();
  std::vector<int32_t> free;
  auto buffer = [&](Value v) -> int32_t& { return buffer_of[static_cast<size_t>(v.id)]; };
  auto dies = [&](Value v, size_t i) { return last_use[static_cast<size_t>(v.id)] == i; };
  auto take = [&](int32_t width) {
    // The first free buffer of this very width; buffers are few, for layers repeat.
    auto it = std::find_if(free.begin(), free.end(), [&](int32_t b) {
      return buffer_widths[static_cast<size_t>(b)] == width;
    });
    if (it != free.end()) {
      int32_t found = *it;
      free.erase(it);
      return found;
    }
    buffer_widths.push_back(width);
    return static_cast<int32_t>(buffer_widths.size() - 1);
  };

  for (size_t i = 0; i < ops.size(); ++i) {
    const Op& op = ops[i];
    Value reused = in_place_operand(op);
    if (op.out) {
      int32_t width = widths[static_cast<size_t>(op.out.id)];
      bool in_place = reused && dies(reused, i) && widths[static_cast<size_t>(reused.id)] == width;
      buffer(op.out) = in_place ? buffer(reused) : take(width);
    }
    std::vector<int32_t> ids;
    for (Value v : {op.a, op.b, op.c})
      if (v && dies(v, i) && (!op.out || buffer(v) != buffer(op.out))) ids.push_back(buffer(v));
    std::sort(ids.begin(), ids.end());
    ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
    free.insert(free.end(), ids.begin(), ids.end());
  }
}

Cost cost_of(const Program& program, std::span<const Weight> weights, int64_t rows,
             int64_t rows_with_logits, int64_t depth, double cache_number_bytes) {
  Cost cost;
  for (const Op& op : program.ops) {
    double op_rows = static_cast<double>(op.kind == OpKind::kHead ? rows_with_logits : rows);
    if (op.kind == OpKind::kMatmul || op.kind == OpKind::kHead) {
      const Weight& w = weights[static_cast<size_t>(op.weight)];
      if (op_rows > 0) cost.weight_bytes += static_cast<double>(w.bytes());
      cost.multiply_adds += op_rows * static_cast<double>(w.rows) * static_cast<double>(w.cols);
    } else if (op.kind == OpKind::kEmbed) {
      const Weight& w = weights[static_cast<size_t>(op.weight)];
      cost.weight_bytes += op_rows * static_cast<double>(w.row_bytes());
    } else if (op.kind == OpKind::kAttention) {
      const AttentionSpec& a = op.attention;
      double seen = static_cast<double>(a.window > 0 ? std::min<int64_t>(a.window, depth) : depth);
      double per_position = a.head_dim + a.value_dim;
      cost.multiply_adds += op_rows * seen * a.heads * per_position;
      cost.cache_bytes += seen * a.kv_heads * per_position * cache_number_bytes;
    }
  }
  return cost;
}

int32_t Builder::find(std::string_view slot) const {
  for (size_t i = 0; i < weights_.size(); ++i)
    if (weights_[i].slot == slot && (weights_[i].layer == layer_ || weights_[i].layer < 0))
      return static_cast<int32_t>(i);
  return -1;
}

Value Builder::emit(Op op, int32_t width) {
  op.layer = layer_;
  op.out = Value{static_cast<int32_t>(program_.widths.size())};
  program_.widths.push_back(width);
  program_.ops.push_back(op);
  return op.out;
}

Value Builder::pair(OpKind kind, Value a, Value b) {
  CHECK(width(a) == width(b));
  return emit({.kind = kind, .a = a, .b = b}, width(a));
}

Value Builder::embed(std::string_view slot, int32_t width) {
  int32_t weight = find(slot);
  CHECK(weight >= 0);
  return emit({.kind = OpKind::kEmbed, .weight = weight}, width);
}

Value Builder::scale(Value a, float factor) {
  return emit({.kind = OpKind::kScale, .a = a, .number = factor}, width(a));
}

Value Builder::norm(Value a, std::string_view slot, float eps, int32_t heads) {
  int32_t weight = find(slot);
  if (weight < 0) return a;
  CHECK(weights_[static_cast<size_t>(weight)].cols * heads == width(a));
  return emit({.kind = OpKind::kRmsNorm, .a = a, .weight = weight, .heads = heads, .number = eps},
              width(a));
}

Value Builder::matmul(Value a, std::string_view slot, Value residual) {
  int32_t weight = find(slot);
  CHECK(weight >= 0);
  const Weight& w = weights_[static_cast<size_t>(weight)];
  CHECK(w.cols == width(a));
  CHECK(!residual || width(residual) == w.rows);
  int32_t bias = find(std::string(slot) + "_bias");
  return emit({.kind = OpKind::kMatmul, .a = a, .b = residual, .weight = weight, .bias = bias},
              static_cast<int32_t>(w.rows));
}

Value Builder::rope(Value a, const RopeConfig& config, int32_t heads) {
  auto it = std::find(program_.ropes.begin(), program_.ropes.end(), config);
  int32_t table = static_cast<int32_t>(it - program_.ropes.begin());
  if (it == program_.ropes.end()) program_.ropes.push_back(config);
  return emit({.kind = OpKind::kRope, .a = a, .heads = heads, .table = table}, width(a));
}

Value Builder::attention(Value q, Value k, Value v, AttentionSpec spec) {
  CHECK(width(q) == spec.heads * spec.head_dim && spec.heads % spec.kv_heads == 0);
  CHECK(width(k) == spec.kv_heads * spec.head_dim && width(v) == spec.kv_heads * spec.value_dim);
  spec.cache = static_cast<int32_t>(program_.caches.size());
  program_.caches.push_back({.kind = spec.window > 0 ? CacheKind::kWindowed : CacheKind::kFull,
                             .layer = layer_,
                             .kv_heads = spec.kv_heads,
                             .key_dim = spec.head_dim,
                             .value_dim = spec.value_dim,
                             .window = spec.window});
  return emit({.kind = OpKind::kAttention, .a = q, .b = k, .c = v, .attention = spec},
              spec.heads * spec.value_dim);
}

void Builder::head(Value a, std::string_view slot, float softcap) {
  int32_t weight = find(slot);
  CHECK(weight >= 0);
  Op op{.kind = OpKind::kHead, .a = a, .weight = weight, .number = softcap};
  op.layer = layer_;
  program_.ops.push_back(op);
}

Program Builder::finish() {
  program_.plan_buffers();
  return std::move(program_);
}

}  // namespace hearth
