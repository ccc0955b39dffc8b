// Template: the Jinja language as chat templates use it, compiled once per model and rendered for
// each conversation. Hostile input: no host objects, no attribute of anything but data, budgets
// on steps, output, depth and range; errors name line and column.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "template/rendered.h"

namespace hearth {

struct RenderOptions {
  // Seconds since 1970 for strftime_now, shown as UTC+offset; the clock where negative.
  int64_t now = -1;
  uint64_t steps_max = 1'000'000'000;  // a context allows fewer: see README.md
  uint64_t output_bytes_max = 64u << 20;
  uint64_t seed = 0;  // of the filter `random`
  // Members of the context that are foreign as messages, tools and documents are.
  std::vector<std::string> foreign_names;
};

// How white space around tags is treated; as chat templates have it unless said otherwise.
struct TemplateSettings {
  bool trim_blocks = true;             // the newline after a block or comment goes
  bool lstrip_blocks = true;           // blanks before a block at the start of a line go
  bool keep_trailing_newline = false;  // at the end of the text
};

class Template {
 public:
  // kCorrupt with "line L, column C: ..." for a text that is no template.
  static Result<Template> compile(std::string_view source, const TemplateSettings& settings = {});

  // The text for a context: an object with messages, tools, add_generation_prompt, bos_token, ...
  // kInvalid for raise_exception() and errors of the template, kTooLarge for a spent budget.
  Result<std::string> render(const Json& context, const RenderOptions& options = {}) const;

  // The same, and which bytes of it came from the conversation: all strings and names below
  // messages, tools, documents and RenderOptions::foreign_names, and what the template made of
  // them. Not foreign is the value of a member `role` or `type` that is a plain word, because
  // templates write control tokens with it.
  Result<Rendered> render_marked(const Json& context, const RenderOptions& options = {}) const;

  Template(Template&&) noexcept;
  Template& operator=(Template&&) noexcept;
  ~Template();

 private:
  struct Impl;
  explicit Template(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace hearth
