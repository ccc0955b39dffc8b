#include "engine/sampling/chain.h"

#include <algorithm>
#include <string>

namespace hearth {
namespace {

using P = SamplingParams;

constexpr Step kSteps[] = {
    {.name = "forbid", .run = forbid, .active = [](const P& p) { return p.min_tokens > 0; },
     .constraint = true},
    {.name = "logit_bias", .letter = 'b', .run = logit_bias,
     .active = [](const P& p) { return !p.logit_bias.empty(); }, .constraint = true},
    {.name = "bad_words", .letter = 'w', .run = bad_words,
     .active = [](const P& p) { return !p.bad_words.empty() || !p.bad_tokens.empty(); },
     .constraint = true},
    {.name = "no_repeat_ngram", .letter = 'n', .run = no_repeat_ngram,
     .active = [](const P& p) { return p.no_repeat_ngram_size > 0; }, .constraint = true},
    {.name = "penalties", .letter = 'e', .run = penalties,
     .active = [](const P& p) {
       return p.repeat_last_n != 0 && (p.repeat_penalty != 1 || p.frequency_penalty != 0 ||
                                       p.presence_penalty != 0);
     }},
    {.name = "dry", .letter = 'd', .run = dry,
     .active = [](const P& p) {
       return p.dry_multiplier != 0 && p.dry_base >= 1 && p.dry_penalty_last_n != 0;
     }},
    {.name = "top_n_sigma", .letter = 's', .run = top_n_sigma,
     .active = [](const P& p) { return p.top_n_sigma > 0; },
     .keeps_best = true},
    {.name = "top_k", .letter = 'k', .run = top_k,
     .active = [](const P& p) { return p.top_k > 0; }, .keeps_best = true},
    {.name = "typ_p", .letter = 'y', .aliases = "typ typical typical_p", .run = typical,
     .active = [](const P& p) { return p.typical_p < 1; }},
    {.name = "top_p", .letter = 'p', .aliases = "nucleus", .run = top_p,
     .active = [](const P& p) { return p.top_p < 1; }, .keeps_best = true},
    {.name = "min_p", .letter = 'm', .run = min_p,
     .active = [](const P& p) { return p.min_p > 0; }, .keeps_best = true},
    {.name = "xtc", .letter = 'x', .run = xtc,
     .active = [](const P& p) { return p.xtc_probability > 0 && p.xtc_threshold <= 0.5; }},
    {.name = "temperature", .letter = 't', .aliases = "temp", .run = temperature,
     .active = [](const P& p) { return p.temperature != 1 || p.dynatemp_range > 0; }},
    {.name = "mirostat", .run = mirostat_1, .active = [](const P& p) { return p.mirostat == 1; }},
    {.name = "mirostat_v2", .run = mirostat_2,
     .active = [](const P& p) { return p.mirostat == 2; }},
};

// "Top-K" and "topk" are top_k.
std::string plain_name(std::string_view name) {
  std::string out;
  for (char c : name)
    if (c != '_' && c != '-' && c != ' ')
      out += c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return out;
}

std::vector<std::string_view> split(std::string_view text, std::string_view separators) {
  std::vector<std::string_view> out;
  while (!text.empty()) {
    size_t end = std::min(text.find_first_of(separators), text.size());
    if (end > 0) out.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

std::string known_names() {
  std::string out;
  for (const Step& step : kSteps)
    if (step.letter != 0)
      out += fmt::format("{}{} ({})", out.empty() ? "" : ", ", step.name, step.letter);
  return out;
}

Result<std::vector<const Step*>> parse_order(std::string_view text) {
  std::vector<std::string_view> words = split(text, ";, \t\n");
  if (words.size() == 1 && find_step(words[0]) == nullptr) {  // letters
    std::string_view letters = words[0];
    words.clear();
    for (size_t i = 0; i < letters.size(); ++i) words.push_back(letters.substr(i, 1));
  }
  std::vector<const Step*> order;
  for (std::string_view word : words) {
    const Step* step = find_step(word);
    if (step == nullptr)
      return fail(Code::kInvalid, "samplers: there is no '{}'; there are {}", word, known_names());
    if (std::ranges::find(order, step) != order.end())
      return fail(Code::kInvalid, "samplers: {} is named twice", step->name);
    order.push_back(step);
  }
  return order;
}

bool greedy(const P& p) { return p.temperature <= 0 && p.dynatemp_range <= 0; }

// A chain that takes the most likely ends with the temperature; before it, what keeps the most
// likely need not run.
void shorten(std::vector<const Step*>& chain) {
  auto at = std::ranges::find(chain, std::string_view("temperature"), &Step::name);
  if (at == chain.end()) return;
  chain.erase(at + 1, chain.end());
  std::erase_if(chain, [](const Step* step) { return step->keeps_best; });
}

}  // namespace

std::span<const Step> steps() { return kSteps; }

const Step* find_step(std::string_view name) {
  for (const Step& step : kSteps) {
    if (step.letter == 0) continue;
    if (name.size() == 1 && name[0] == step.letter) return &step;
    if (plain_name(name) == plain_name(step.name)) return &step;
    for (std::string_view alias : split(step.aliases, " "))
      if (plain_name(name) == plain_name(alias)) return &step;
  }
  return nullptr;
}

Result<std::vector<const Step*>> make_chain(const SamplingParams& params) {
  std::vector<const Step*> order =
      TRY(parse_order(params.samplers.empty() ? kTemperatureLast : params.samplers));
  if (params.mirostat != 0) {
    std::erase_if(order, [](const Step* step) { return !step->constraint; });
    order.push_back(find_step("temperature"));
    for (const Step& step : kSteps)
      if (step.name.starts_with("mirostat")) order.push_back(&step);
  }
  std::vector<const Step*> chain;
  for (const Step& step : kSteps)
    if (step.constraint && std::ranges::find(order, &step) == order.end()) chain.push_back(&step);
  chain.insert(chain.end(), order.begin(), order.end());
  std::erase_if(chain, [&](const Step* step) { return !step->active(params); });
  if (greedy(params)) shorten(chain);
  return chain;
}

}  // namespace hearth
