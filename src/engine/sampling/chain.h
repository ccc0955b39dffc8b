// The chain: the table of steps and the orders that requests name.
//
// A request's `samplers` is an order of the steps that have a letter, as llama.cpp writes it: names
// with ';' or ',' between ("penalties;top_k;temperature") or letters ("ekt"). What must or must not
// be said (logit bias, bad words, no-repeat n-gram) comes first wherever it is not named, so that
// naming an order forbids no less. With mirostat, only these, the temperature and mirostat run.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "engine/sampling/steps.h"

namespace hearth {

struct Step {
  std::string_view name;     // llama.cpp's, where it has the step
  char letter = 0;           // 0: cannot be named in an order
  std::string_view aliases;  // "nucleus topp", besides those with '-' for '_'
  void (*run)(Candidates&, const StepContext&) = nullptr;
  bool (*active)(const SamplingParams&) = nullptr;  // false: the step would change nothing
  bool constraint = false;   // comes first where it is not named
  bool keeps_best = false;   // never changes which is the most likely
};

std::span<const Step> steps();
const Step* find_step(std::string_view name);  // by name, alias or letter; nullptr: none

// Temperature last: llama.cpp's and Ollama's order. First: OpenAI's and vLLM's.
inline constexpr std::string_view kTemperatureLast =
    "penalties;dry;top_n_sigma;top_k;typ_p;top_p;min_p;xtc;temperature";
inline constexpr std::string_view kTemperatureFirst =
    "penalties;dry;temperature;top_n_sigma;top_k;typ_p;top_p;min_p;xtc";

// The steps that a request runs, in order: those that are active. Where the temperature is 0,
// nothing that follows it and nothing that would not change the answer. kInvalid for an unknown
// name or a step named twice.
Result<std::vector<const Step*>> make_chain(const SamplingParams& params);

}  // namespace hearth
