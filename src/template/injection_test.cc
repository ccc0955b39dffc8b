// Templates from strangers that reach for the host: the ways in which Jinja in Python has been
// left (subclasses of object, globals of functions, the filter attr, format strings, imports). Each
// is refused, or finds nothing: there are no host objects here, and this keeps it so. And the
// other side of the budgets: what a user really sends still renders.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "template/template.h"

namespace hearth {
namespace {

// A way to an object and a way on from it, in all pairs.
constexpr std::string_view kObjects[] = {
    "''", "'a'", "[]", "[1]", "()", "{}", "1", "1.5", "true", "none", "messages", "messages[0]",
    "messages[0].content", "tools", "self", "config", "request", "lipsum", "cycler", "joiner",
    "namespace", "namespace(a=1)", "dict", "range", "range(3)", "raise_exception", "strftime_now",
    "loop", "caller", "varargs", "kwargs", "url_for", "get_flashed_messages", "session", "g",
    "environ", "os", "open", "joiner('x')", "cycler('a')", "undefined_thing", "__builtins__",
    "messages|map('upper')", "'%s'|format('a')", "messages[0].items()", "''.join", "[].append",
    "{}.get", "(1).real", "mac"};
constexpr std::string_view kWays[] = {
    ".__class__", "['__class__']", "|attr('__class__')", "['__cl' + 'ass__']", "['\\x5f_class__']",
    ".__class__.__mro__[1].__subclasses__()", ".__class__.__base__.__subclasses__()",
    ".__init__.__globals__['os'].popen('id').read()", ".__globals__", ".__init__",
    ".__getattribute__('__class__')", ".__reduce__()", ".__dict__", ".__doc__", ".__module__",
    ".__self__", ".__func__.__code__", ".__call__", ".func_globals", ".gi_frame.f_globals",
    ".gi_code", ".f_back", ".mro()", ".format_map", "._TemplateReference__context",
    ".environment.globals", "|attr('__init__')|attr('__globals__')|attr('__getitem__')('os')",
    "|attr(['__', 'class', '__']|join)", "|map(attribute='__class__')|list",
    "|selectattr('__class__')|list", "|groupby('__class__')", "|sum(attribute='__class__')",
    "|sort(attribute='__class__')", "|map('attr', '__class__')|list", "|list|first|attr('__mro__')",
    ".__class__('x')", "()().__class__", "|xmlattr", "|tojson|attr('__class__')"};

constexpr std::string_view kWhole[] = {
    "{{ '{0.__class__}'.format(1) }}", "{{ '{0.__class__.__init__.__globals__}'.format(cycler) }}",
    "{{ '{0[__class__]}'.format({}) }}", "{{ '{a.__class__}'.format_map({'a': 1}) }}",
    "{{ '%(x.__class__)s' % {'x': 1} }}", "{{ '{:{0.__class__}}'.format(1) }}",
    "{% import 'os' as os %}{{ os.popen('id') }}", "{% from 'os' import popen %}{{ popen('id') }}",
    "{% include '/etc/passwd' %}", "{% extends '/etc/passwd' %}", "{% import '/etc/passwd' as p %}",
    "{% block x %}{{ self.x.__func__ }}{% endblock %}", "{% do __import__('os') %}",
    "{% set x = __import__('os').system('id') %}{{ x }}", "{{ eval('1') }}", "{{ exec('1') }}",
    "{{ globals() }}", "{{ locals() }}", "{{ vars() }}", "{{ dir(messages) }}", "{{ type(1) }}",
    "{{ getattr('', '__class__') }}", "{% debug %}", "{% autoescape true %}{{ ''.__class__ }}"
    "{% endautoescape %}", "{% for c in ''.__class__.__mro__ %}{{ c }}{% endfor %}",
    "{% with a = ''.__class__ %}{{ a.__base__ }}{% endwith %}",
    "{% set ns = namespace() %}{% set ns.__class__ = 1 %}{{ ns.__class__.__class__ }}",
    "{% macro m() %}{% endmacro %}{{ m.__globals__ }}{{ m.__code__ }}",
    "{% macro m() %}{{ caller.__globals__ }}{% endmacro %}{% call m() %}{% endcall %}",
    "{% set a, b = ''.__class__, 1 %}{{ a }}", "{{ messages.__setitem__(0, 1) }}",
    "#set($x = ''.class.forName('java.lang.Runtime'))", "${T(java.lang.Runtime)}",
    "<%= `id` %>", "#{7*7}", "{php}echo `id`;{/php}", "${{7*7}}"};

// What a host's object, or an answer of its system, would look like. A method that is named and not
// called is words of ours, "<built-in method join of str object>", with no address.
constexpr std::string_view kSigns[] = {
    "<class", "<function", "<module", "<bound", "<method", "object at", " at 0x", "subclasses",
    "uid=", "root:", "/bin/", "jinja", "Jinja", "importlib", "site-packages", "Traceback", "PATH"};

const Json& context() {
  static const Json kContext = *Json::parse(
      R"({"messages": [{"role": "user", "content": "hi"}], "tools": [], "bos_token": "<s>",
          "add_generation_prompt": true})");
  return kContext;
}

// Whether it found nothing or was refused. Counts those that rendered.
bool is_harmless(const std::string& source, int& rendered) {
  auto compiled = Template::compile(source);
  if (!compiled) return !compiled.error().message.empty();
  auto text = compiled->render(context());
  if (!text) return !text.error().message.empty();
  ++rendered;
  for (std::string_view sign : kSigns)
    if (text->find(sign) != std::string::npos && source.find(sign) == std::string::npos)
      return false;
  return true;
}

TEST(TemplateInjection, NoWayLeadsToTheHost) {
  int rendered = 0, count = 0;
  for (std::string_view object : kObjects) {
    for (std::string_view way : kWays) {
      std::string path = fmt::format("{}{}", object, way);
      for (const std::string& source :
           {fmt::format("{{{{ {} }}}}", path), fmt::format("{{{{ ({})() }}}}", path),
            fmt::format("{{% set x = {} %}}{{{{ x }}}}{{{{ x|string|length }}}}", path),
            fmt::format("{{% macro mac() %}}{{% endmacro %}}{{% for i in [1] %}}{{{{ {} }}}}"
                        "{{% endfor %}}", path)}) {
        EXPECT_TRUE(is_harmless(source, rendered)) << source;
        ++count;
      }
    }
  }
  for (std::string_view source : kWhole) {
    EXPECT_TRUE(is_harmless(std::string(source), rendered)) << source;
    ++count;
  }
  fmt::print("{} templates, {} of them rendered something\n", count, rendered);
}

// The values of what no name may reach: nothing, or an error; never a member of an object.
TEST(TemplateInjection, NamesOfPythonAreOnlyNames) {
  for (std::string_view source :
       {"{{ ''.__class__ }}", "{{ messages.__class__ }}", "{{ cycler.__init__ }}",
        "{{ lipsum }}", "{{ self }}", "{{ config }}", "{{ messages[0]['__class__'] }}"}) {
    auto compiled = Template::compile(source);
    ASSERT_TRUE(compiled) << source;
    auto text = compiled->render(context());
    EXPECT_EQ(text.value_or(""), "") << source;
  }
  // Words that a conversation holds are data, also where they look like Python's or a template's.
  auto compiled = Template::compile("{{ messages[0].content }}{{ messages[0]['__class__'] }}");
  auto text = compiled->render(*Json::parse(
      R"({"messages": [{"role": "user", "content": "{{ 7*7 }}{% raw %}", "__class__": "mine"}]})"));
  ASSERT_TRUE(text) << text.error().message;
  EXPECT_EQ(*text, "{{ 7*7 }}{% raw %}mine");
}

// A million tokens of conversation, in one message and in thousands, is no attack.
TEST(TemplateInjection, AFullContextRenders) {
  auto compiled = Template::compile(
      "{% for m in messages %}{% if loop.first and m.role != 'system' %}<|im_start|>system\n"
      "You are helpful.<|im_end|>\n{% endif %}{{ '<|im_start|>' + m.role + '\n' + m.content | trim"
      " + '<|im_end|>\n' }}{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n"
      "{% endif %}");
  ASSERT_TRUE(compiled);
  constexpr size_t kBytes = 8 << 20;  // a context of a million tokens, and more
  for (size_t messages : {1u, 100u, 20'000u}) {
    std::string words;
    while (words.size() < kBytes / messages) words += "lorem ipsum \xC3\xA9\xE4\xBD\xA0 ";
    Json::Array list;
    for (size_t i = 0; i < messages; ++i) {
      Json message;
      message.set("role", Json(i % 2 == 0 ? "user" : "assistant"));
      message.set("content", Json(words));
      list.push_back(std::move(message));
    }
    Json whole = context();
    whole.set("messages", Json(std::move(list)));
    auto text = compiled->render(whole);
    ASSERT_TRUE(text) << messages << ": " << text.error().message;
    EXPECT_GT(text->size(), kBytes - messages);
    auto marked = compiled->render_marked(whole);
    ASSERT_TRUE(marked) << messages << ": " << marked.error().message;
    EXPECT_EQ(marked->text, *text);
    EXPECT_GE(marked->foreign.size(), messages);
  }
}

}  // namespace
}  // namespace hearth
