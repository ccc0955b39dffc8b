#include "template/go/go_template.h"

#include "base/out_of_memory.h"
#include "template/go/conversation.h"
#include "template/go/exec.h"
#include "template/go/inspect.h"
#include "template/go/parser.h"

namespace hearth {
namespace {

using gotmpl::Conversation;
using gotmpl::Value;

// About what a conversation takes in memory; more of it allows a template more work.
size_t context_bytes(const Json& json) {
  size_t total = sizeof(Json);
  if (json.is_string()) return total + json.as_string().size();
  if (json.is_array())
    for (const Json& item : json.as_array()) total += context_bytes(item);
  if (json.is_object())
    for (const auto& [name, value] : json.as_object())
      total += sizeof(Json) + name.size() + context_bytes(value);
  return total;
}

gotmpl::Budget budget_of(const Json& conversation, const RenderOptions& options) {
  uint64_t context = context_bytes(conversation);
  return {.steps = std::min(options.steps_max, 1'000'000 + 200 * context),
          .bytes = std::min(options.output_bytes_max, (16u << 20) + 8 * context)};
}

// One render: what does not change between the turns of a legacy template.
struct Job {
  std::string_view source;
  const Conversation& conversation;
  gotmpl::ExecOptions options;
  gotmpl::Budget& budget;
  Rendered& out;

  Result<void> run(const gotmpl::Trees& trees,
                   std::vector<std::pair<std::string_view, Value>> members) const {
    members.emplace_back("Think", Value::boolean(conversation.think));
    members.emplace_back("ThinkLevel", conversation.think_level);
    members.emplace_back("IsThinkSet", Value::boolean(conversation.think_is_set));
    return gotmpl::Exec(source, trees, options, budget)
        .run(gotmpl::map_value(std::move(members)), out);
  }
};

// Turn by turn: a turn is rendered when the next one would overwrite what it has.
class LegacyRun {
 public:
  LegacyRun(const Job& job, const gotmpl::Trees& trees, const gotmpl::Trees& cut)
      : job_(job), trees_(trees), cut_(cut) {}

  Result<void> run() {
    for (const gotmpl::Turn& turn : job_.conversation.turns) {
      if (turn.role == "system") {
        if (!prompt_.text.empty() || !response_.text.empty()) TRY(flush());
        system_ = turn.content;
      } else if (turn.role == "user") {
        if (!response_.text.empty()) TRY(flush());
        prompt_ = turn.content;
      } else if (turn.role == "assistant") {
        response_ = turn.content;
      }
    }
    // Ollama renders the last turn with a bare template: no options, none of its functions.
    Job last = job_;
    last.options.missing_is_zero = false;
    last.options.ollama_functions = false;
    return last.run(cut_, members());
  }

 private:
  std::vector<std::pair<std::string_view, Value>> members() const {
    return {{"System", Value::text(system_)},
            {"Prompt", Value::text(prompt_)},
            {"Response", Value::text(response_)}};
  }
  Result<void> flush() {
    TRY(job_.run(trees_, members()));
    system_ = prompt_ = response_ = {};
    return {};
  }

  const Job& job_;
  const gotmpl::Trees& trees_;
  const gotmpl::Trees& cut_;
  Rendered system_, prompt_, response_;
};

}  // namespace

struct GoTemplate::Impl {
  gotmpl::Program program;
  gotmpl::Trees legacy;  // the main tree, cut at .Response
  std::set<std::string, std::less<>> names;
  gotmpl::ThinkingTags tags;
};

Result<GoTemplate> GoTemplate::compile_source(std::string_view source) {
  auto impl = std::make_shared<Impl>();
  impl->program = TRY(gotmpl::parse_program(source));
  impl->names = TRY(gotmpl::used_names(impl->program));
  gotmpl::Node& main = *impl->program.trees[""];
  if (!impl->names.contains("messages") && impl->names.insert("response").second)
    main.children.push_back(gotmpl::response_action());
  impl->legacy[""] = gotmpl::cut_after_response(main);
  impl->tags = gotmpl::thinking_tags(main);
  return GoTemplate(std::move(impl));
}

Result<Rendered> GoTemplate::render_json(const Json& json, const RenderOptions& options) const {
  Conversation conversation = TRY(gotmpl::read_conversation(json));
  gotmpl::Budget budget = budget_of(json, options);
  Rendered out;
  Job job{impl_->program.source, conversation, {.now = options.now}, budget, out};
  bool fills_in = !conversation.prompt.as_text().text.empty() &&
                  !conversation.suffix.as_text().text.empty();
  if (fills_in) {
    TRY(job.run(impl_->program.trees, {{"Prompt", conversation.prompt},
                                       {"Suffix", conversation.suffix},
                                       {"Response", Value::plain("")}}));
  } else if (impl_->names.contains("messages")) {
    TRY(job.run(impl_->program.trees, {{"System", Value::text(conversation.system)},
                                       {"Messages", gotmpl::messages_value(conversation)},
                                       {"Tools", conversation.tools},
                                       {"Response", Value::plain("")}}));
  } else {
    TRY(LegacyRun(job, impl_->program.trees, impl_->legacy).run());
  }
  return out;
}

Result<GoTemplate> GoTemplate::compile(std::string_view source) {
  return catching_bad_alloc([&] { return compile_source(source); });
}

Result<Rendered> GoTemplate::render(const Json& json, const RenderOptions& options) const {
  return catching_bad_alloc([&] { return render_json(json, options); });
}

const std::set<std::string, std::less<>>& GoTemplate::names() const { return impl_->names; }
const std::string& GoTemplate::thinking_open() const { return impl_->tags.open; }
const std::string& GoTemplate::thinking_close() const { return impl_->tags.close; }

}  // namespace hearth
