#include "template/template.h"

#include "base/out_of_memory.h"
#include "template/interp.h"
#include "template/parser.h"

namespace hearth {
namespace {

// About what a context takes in memory; more of it allows a template more work.
size_t context_bytes(const Json& json) {
  constexpr size_t kNode = sizeof(Json);
  if (json.is_string()) return kNode + json.as_string().size();
  size_t total = kNode;
  if (json.is_array()) {
    for (const Json& item : json.as_array()) total += context_bytes(item);
  } else if (json.is_object()) {
    for (const auto& [name, value] : json.as_object()) {
      total += kNode + name.size() + context_bytes(value);
    }
  }
  return total;
}

}  // namespace

struct Template::Impl {
  std::unique_ptr<const jinja::Program> program;
};

Template::Template(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Template::Template(Template&&) noexcept = default;
Template& Template::operator=(Template&&) noexcept = default;
Template::~Template() = default;

Result<Template> Template::compile(std::string_view source, const TemplateSettings& settings) {
  return catching_bad_alloc([&]() -> Result<Template> {
    auto impl = std::make_unique<Impl>();
    impl->program = TRY(jinja::parse(source, settings));
    return Template(std::move(impl));
  });
}

Result<std::string> Template::render(const Json& context, const RenderOptions& options) const {
  return TRY(render_marked(context, options)).text;
}

Result<Rendered> Template::render_marked(const Json& context, const RenderOptions& options) const {
  return catching_bad_alloc([&] {
    jinja::Interp interp(*impl_->program, options, context_bytes(context));
    return interp.run(context);
  });
}

}  // namespace hearth
