#include "engine/schedule.h"

#include <algorithm>
#include <array>

#include "base/check.h"

namespace hearth {
namespace {

bool is_pair(OpKind kind) { return kind == OpKind::kSiluMul || kind == OpKind::kGeluMul; }

class Scheduler {
 public:
  Scheduler(const Program& program, const std::function<Compute(int32_t)>& compute_for)
      : program_(program), compute_for_(compute_for) {
    out_.computes.assign(program.ops.size(), Compute::kF32);
    out_.slots.assign(program.ops.size(), -1);
  }

  Schedule run() {
    for (size_t i = 0; i < program_.ops.size();) {
      const Op& op = program_.ops[i];
      if (op.kind == OpKind::kMatmul) {
        i = products(i);
      } else if (op.kind == OpKind::kAttention) {
        rows_stage(op.layer).store = static_cast<int32_t>(i);
        begin(Stage::Kind::kAttention, op.layer).ops.push_back(static_cast<int32_t>(i++));
      } else if (op.kind == OpKind::kHead) {
        CHECK(i + 1 == program_.ops.size());
        out_.head = static_cast<int32_t>(i++);
      } else {
        rows_stage(op.layer).ops.push_back(static_cast<int32_t>(i++));
      }
    }
    return std::move(out_);
  }

 private:
  Stage& begin(Stage::Kind kind, int32_t layer) {
    out_.stages.push_back({.kind = kind, .layer = layer});
    return out_.stages.back();
  }

  // A stage of rows goes on while nothing has been packed in it: packing is its end.
  Stage& rows_stage(int32_t layer) {
    if (!out_.stages.empty()) {
      Stage& last = out_.stages.back();
      if (last.kind == Stage::Kind::kRows && last.packs.empty()) return last;
    }
    return begin(Stage::Kind::kRows, layer);
  }

  int32_t width(Value v) const { return program_.widths[static_cast<size_t>(v.id)]; }
  int32_t buffer(Value v) const { return program_.buffer_of[static_cast<size_t>(v.id)]; }

  // Products with the same input from operation `first` on, and what can follow them on their
  // columns. Returns the operation after.
  size_t products(size_t first) {
    const Op& op = program_.ops[first];
    size_t end = first + 1;
    while (end < program_.ops.size() && goes_with(first, end)) ++end;
    std::vector<Compute> forms;
    for (size_t i = first; i < end; ++i) {
      out_.computes[i] = compute_for_(program_.ops[i].weight);
      if (out_.computes[i] != Compute::kF32) forms.push_back(out_.computes[i]);
    }
    if (!forms.empty()) {
      pack(op.a, forms, op.layer);
      for (size_t i = first; i < end; ++i) {
        if (out_.computes[i] != Compute::kF32) out_.slots[i] = slot_;
      }
    }
    Stage& stage = begin(Stage::Kind::kColumns, op.layer);
    for (size_t i = first; i < end; ++i) stage.ops.push_back(static_cast<int32_t>(i));
    while (end < program_.ops.size() && follows(stage, program_.ops[end]))
      stage.ops.push_back(static_cast<int32_t>(end++));
    return end;
  }

  // Another product of the same input whose output lies where no other member still reads.
  bool goes_with(size_t first, size_t i) const {
    const Op &head = program_.ops[first], &op = program_.ops[i];
    if (op.kind != OpKind::kMatmul || op.a.id != head.a.id) return false;
    if (buffer(op.out) == buffer(head.a)) return false;
    for (size_t j = first; j < i; ++j) {
      const Op& before = program_.ops[j];
      if (op.b && op.b.id == before.out.id) return false;
    }
    return true;
  }

  // gate * up, where both were computed here, column for column.
  bool follows(const Stage& stage, const Op& op) const {
    if (!is_pair(op.kind)) return false;
    const Op& first = program_.ops[static_cast<size_t>(stage.ops.front())];
    if (buffer(op.out) == buffer(first.a)) return false;
    for (Value v : {op.a, op.b}) {
      const bool here = std::any_of(stage.ops.begin(), stage.ops.end(), [&](int32_t i) {
        return program_.ops[static_cast<size_t>(i)].out.id == v.id;
      });
      if (!here) return false;
    }
    return true;
  }

  // Sees that `value` is packed in all `forms`, at the end of the stage before, where that has it
  // in the same parts, or in a stage of its own.
  void pack(Value value, std::vector<Compute> forms, int32_t layer) {
    std::sort(forms.begin(), forms.end());
    forms.erase(std::unique(forms.begin(), forms.end()), forms.end());
    if (packed_.id == value.id && std::includes(forms_.begin(), forms_.end(), forms.begin(),
                                                forms.end()))
      return;
    if (out_.stages.empty() || !can_pack(out_.stages.back(), value, forms))
      begin(Stage::Kind::kRows, layer);
    slot_ = 1 - slot_;
    packed_ = value;
    forms_ = forms;
    for (Compute compute : forms) out_.stages.back().packs.push_back({value, compute, slot_});
    out_.packed_width = std::max(out_.packed_width, width(value));
  }

  bool can_pack(const Stage& stage, Value value, const std::vector<Compute>& forms) const {
    if (!stage.packs.empty()) return false;
    if (stage.kind == Stage::Kind::kRows) return true;
    // Two digits are given by what stands out of the whole row.
    if (std::find(forms.begin(), forms.end(), Compute::kInt8x2) != forms.end()) return false;
    const Op& last = program_.ops[static_cast<size_t>(stage.ops.back())];
    if (last.out.id != value.id || width(value) % 32 != 0) return false;
    const AttentionSpec& spec = last.attention;
    return stage.kind == Stage::Kind::kColumns ||
           spec.heads / spec.kv_heads * spec.value_dim % 32 == 0;
  }

  const Program& program_;
  const std::function<Compute(int32_t)>& compute_for_;
  Schedule out_;
  Value packed_;
  std::vector<Compute> forms_;
  int32_t slot_ = 0;
};

}  // namespace

Schedule schedule_of(const Program& program,
                     const std::function<Compute(int32_t weight)>& compute_for) {
  return Scheduler(program, compute_for).run();
}

}  // namespace hearth
