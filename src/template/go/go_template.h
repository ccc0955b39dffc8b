// GoTemplate: the template language of Ollama's packages (Go's text/template with Ollama's
// variables and functions), compiled once per model and rendered for each conversation, equal
// byte for byte to what Ollama 0.13 makes of it. Immutable; render() may be called from any
// thread. Hostile input: budgets on steps, bytes and depth; errors name line and column.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/result.h"
#include "template/rendered.h"
#include "template/template.h"

namespace hearth {

class GoTemplate {
 public:
  // kCorrupt with "line L, column C: ..." for a text that is no template, kTooLarge for a huge one.
  static Result<GoTemplate> compile(std::string_view source);

  // The prompt for an object as Ollama's chat request has it: messages, tools, think, or prompt
  // and suffix (template/go/conversation.h says more). A template that names .Messages gets them
  // all; an older one, with .Prompt and .Response, is rendered turn by turn and cut at .Response
  // for the last. kInvalid for errors of the template or the conversation, kTooLarge for a spent
  // budget.
  Result<Rendered> render(const Json& conversation, const RenderOptions& options = {}) const;

  // The names of variables and fields that it uses, in lower case: "tools", "suffix", "thinking".
  const std::set<std::string, std::less<>>& names() const;
  bool uses(std::string_view name) const { return names().contains(name); }

  // The text around a message's thinking, as <think> and </think>; empty where it shows none.
  const std::string& thinking_open() const;
  const std::string& thinking_close() const;

 private:
  struct Impl;
  static Result<GoTemplate> compile_source(std::string_view source);
  Result<Rendered> render_json(const Json& json, const RenderOptions& options) const;
  explicit GoTemplate(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<const Impl> impl_;
};

}  // namespace hearth
