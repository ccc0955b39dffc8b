#include "mutate_model.h"

#include <limits>
#include <tuple>

#include "encoding/encoding.h"
#include "random.h"

namespace hearth {
namespace {

// Pieces of templates: values, tags, loops that never end, half of something.
constexpr std::string_view kTemplatePieces[] = {
    "{{ messages }}", "{{ messages | tojson }}", "{{ bos_token }}", "{{ x.y.z }}", "{{ 1 // 0 }}",
    "{% for i in range(10**9) %}x{% endfor %}", "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "{% set x = 'a' * 10**9 %}", "{{ raise_exception('no') }}",
    "{% if messages[0].role == 'user' %}",
    "{% endif %}", "{% endfor %}", "{{", "}}", "{%", "%}", "{#", "{{ ''.__class__.__mro__ }}",
    "{{ messages[-1]['content'] | trim | upper }}", "{% for m in messages recursive %}",
    "{{ loop(messages) }}", "{% raw %}", "{{ '%s' % messages }}", "{{ namespace(a=1).a }}",
    "{%- set ns = namespace(l=[]) -%}{% for i in range(60) %}"
    "{% set ns.l = [ns.l, ns.l] %}{% endfor %}",
    "{{ ns.l }}", "\xFF", "{{ strftime_now('%Y') }}", "<|im_start|>", "\n"};

constexpr std::string_view kEntries[] = {"", " ", "\u2581", "\u2581\u2581", "\u0120", "<0x41>",
    "<0x-1>", "<0xZZ>", "<0x100>", "<|im_end|>", "</s>", "\xFF", "\xE2\x96", "##a", "[UNK]",
    "a", "aa", "\\x", "\\xZZ", "'a'", "b'\\xff'", "a b", "  ", " a", "a "};

constexpr float kFloats[] = {0, -0.0f, 1, -1, 1e-45f, 3e38f, -3e38f,
                             std::numeric_limits<float>::infinity(),
                             -std::numeric_limits<float>::infinity(),
                             std::numeric_limits<float>::quiet_NaN()};

std::string bent_template(std::string text, Random& random) {
  for (uint64_t i = 1 + random.below(3); i > 0; --i) {
    size_t at = random.below(text.size() + 1);
    switch (random.below(3)) {
      case 0: text.insert(at, random.pick(kTemplatePieces)); break;
      case 1: text.erase(at, 1 + random.below(8)); break;
      case 2: text = std::string(random.pick(kTemplatePieces)) + text.substr(at); break;
    }
  }
  return text;
}

void bend_strings(const std::string& key, const MetaArray& array, Metadata& meta, Random& random) {
  std::vector<std::string> texts(array.strings.begin(), array.strings.end());
  for (uint64_t i = 1 + random.below(8); i > 0 && !texts.empty(); --i) {
    std::string& text = texts[random.below(texts.size())];
    switch (random.below(5)) {
      case 0: text = random.pick(kEntries); break;
      case 1: text = texts[random.below(texts.size())]; break;
      case 2: text += random.pick(kEntries); break;
      case 3: text = std::string(1 + random.below(300), text.empty() ? 'a' : text[0]); break;
      case 4: texts.resize(random.below(16) == 0 ? random.below(texts.size() + 1) : texts.size());
              break;
    }
  }
  meta.set_strings(key, std::move(texts));
}

void bend_numbers(const std::string& key, const MetaArray& array, Metadata& meta, Random& random) {
  bool whole = array.item != MetaType::kF32;
  std::vector<float> floats;
  std::vector<int32_t> ints;
  for (uint64_t i = 0; i < array.count; ++i)
    whole ? ints.push_back(static_cast<int32_t>(array.integer_at(i)))
          : floats.push_back(static_cast<float>(array.number_at(i)));
  for (uint64_t i = 1 + random.below(8); i > 0 && array.count > 0; --i) {
    uint64_t at = random.below(array.count);
    if (whole)
      ints[at] = static_cast<int32_t>(random.below(3) ? random.below(9) : random.pick(kEdges));
    else floats[at] = random.pick(kFloats);
  }
  if (random.below(16) == 0) ints.resize(ints.size() / 2), floats.resize(floats.size() / 2);
  whole ? meta.set_ints(key, ints) : meta.set_floats(key, floats);
}

void bend_setting(Metadata& meta, Random& random) {
  const auto& pairs = meta.pairs();
  auto [key, value] = pairs[random.below(pairs.size())];
  if (random.below(2) == 0) {  // what makes a tokenizer, half of the time
    for (uint64_t tries = 0; tries < 20 && !key.starts_with("tokenizer."); ++tries)
      std::tie(key, value) = pairs[random.below(pairs.size())];
  }
  if (const auto* array = std::get_if<MetaArray>(&value.value)) {
    if (array->item == MetaType::kString) bend_strings(key, *array, meta, random);
    else bend_numbers(key, *array, meta, random);
  } else if (const auto* text = std::get_if<std::string>(&value.value)) {
    if (key.ends_with("template")) meta.set_string(key, bent_template(*text, random));
    else if (random.below(4) == 0) meta.set_u32(key, 1);
    else if (key.ends_with("model")) {
      constexpr std::string_view kModels[] = {"gpt2", "llama", "bert", "t5", "rwkv", "plamo2"};
      meta.set_string(key, std::string(random.pick(kModels)));
    } else if (key.ends_with("pre")) {
      constexpr std::string_view kPres[] = {"llama-bpe", "qwen2", "gpt-2", "deepseek-llm", "falcon",
                                            "tekken", "smollm", "refact", "starcoder", "bloom"};
      meta.set_string(key, std::string(random.pick(kPres)));
    } else {
      meta.set_string(key, std::string(random.pick(kEntries)));
    }
  } else if (value.type == MetaType::kF32) {
    meta.set_f32(key, random.pick(kFloats));
  } else if (value.type == MetaType::kBool) {
    meta.set_bool(key, random.below(2) == 0);
  } else if (random.below(2) == 0) {
    meta.set_u32(key, static_cast<uint32_t>(random.pick(kEdges)));
  } else {
    meta.set(key, {MetaType::kI64, static_cast<int64_t>(random.pick(kEdges))});
  }
}

void bend_tensor(ModelParts& parts, Random& random) {
  TensorToWrite& tensor = parts.tensors[random.below(parts.tensors.size())];
  switch (random.below(6)) {
    case 0: std::swap(tensor.name, parts.tensors[random.below(parts.tensors.size())].name); break;
    case 1: tensor.name += "x"; break;
    case 2: std::swap(tensor.shape.front(), tensor.shape.back()); tensor.fill = {}; break;
    case 3: tensor.shape.front() += random.below(3) - 1; tensor.fill = {}; break;
    case 4:
      tensor.encoding = encodings()[random.below(encodings().size())];
      tensor.fill = {};
      break;
    case 5:
      tensor.fill = {};
      if (tensor.encoding->encode != nullptr && random.below(3) != 0)
        tensor.fill = one_number(tensor, random.pick(kFloats));
      break;
  }
  uint64_t block = tensor.encoding->block_elems;
  if (tensor.shape.back() % block != 0) tensor.encoding = &k_f32, tensor.fill = {};
}

}  // namespace

std::string mutate_model(const ModelParts& original, uint64_t number) {
  Random random(24, number);
  ModelParts parts = original;
  for (uint64_t i = 1 + random.below(3); i > 0; --i) {
    if (random.below(4) == 0) bend_tensor(parts, random);
    else bend_setting(parts.metadata, random);
  }
  // The writer refuses an alignment that is none; mutants of the bytes have those.
  parts.metadata.set_u32("general.alignment", 32);
  return parts.bytes();
}

}  // namespace hearth
