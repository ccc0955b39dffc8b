"""What tools/tidy knows about source files: which there are, what is code and what is comment,
where functions begin and end. No compiler is asked; a small lexer is enough, and it is tested
(tools/tidy_test.py)."""
import ast
import dataclasses
import functools
import pathlib
import re
import subprocess

CPP = (".cc", ".h", ".cu", ".cuh", ".def")

TOKEN = re.compile(
    r"""(?P<line>//(?:\\\r?\n|[^\n])*)
      | (?P<block>/\*.*?(?:\*/|\Z))
      | (?P<raw>(?:u8|[uUL])?R"(?P<delim>[^()\\\s]{0,16})\(.*?(?:\)(?P=delim)"|\Z))
      | (?P<text>(?:u8|[uUL])?"(?:\\.|[^"\\\n])*(?:"|(?=\n)|\Z))
      | (?P<number>\.?\d(?:'?[\w.]|[eEpP][+-])*)
      | (?P<word>[A-Za-z_]\w*)
      | (?P<char>(?:u8|[uUL])?'(?:\\.|[^'\\\n])*(?:'|(?=\n)|\Z))""",
    re.VERBOSE | re.DOTALL)


def blank(text):
    """Spaces in place of everything but the newlines."""
    return re.sub(r"[^\n]", " ", text)


def split_code(text):
    """(code, comments): two texts of the same shape as the given C++. In the first the comments
    are blank and the literals empty, in the second everything but the comments is blank."""
    code, comments, at = [], [], 0
    for m in TOKEN.finditer(text):
        code.append(text[at:m.start()])
        comments.append(blank(text[at:m.start()]))
        token, at = m.group(), m.end()
        if m.lastgroup in ("line", "block"):
            code.append(blank(token))
            comments.append(token)
            continue
        comments.append(blank(token))
        if m["raw"] is not None or m["text"] is not None or m["char"] is not None:
            quote = "'" if m["char"] is not None else '"'
            token = quote + blank(token[1:-1]) + quote if len(token) > 1 else quote
        code.append(token)
    code.append(text[at:])
    comments.append(blank(text[at:]))
    return "".join(code), "".join(comments)


def drop_preprocessor(code):
    """Blanks directives, and all branches of an #if but the first, so that braces balance."""
    out, stack, continued = [], [], False
    for line in code.split("\n"):
        m = None if continued else re.match(r"\s*#\s*(\w+)", line)
        word = m[1] if m else ""
        if word in ("if", "ifdef", "ifndef"):
            stack.append(False)
        elif word in ("else", "elif") and stack:
            stack[-1] = True
        elif word == "endif" and stack:
            stack.pop()
        directive = continued or bool(m)
        continued = directive and line.rstrip().endswith("\\")
        out.append("" if directive or any(stack) else line)
    return "\n".join(out)


@dataclasses.dataclass
class Function:
    name: str
    line: int    # of its header, from 1
    lines: int   # header to closing brace


LEAD = re.compile(r"(?:\s|\b(?:public|protected|private)\s*:)*")   # before a header
NOT_FUNCTIONS = re.compile(
    r"^\s*(?:namespace|inline\s+namespace|extern\b(?!.*\()|(?:template\s*<[^{]*>\s*)?"
    r"(?:typedef\s+)?(?:class|struct|union|enum)\b(?!.*\)\s*(?:const|noexcept|\s)*$))")
SKIPPED_CALLS = {"__attribute__", "alignas", "decltype", "requires", "noexcept", "explicit",
                 "sizeof", "operator"}


def function_name(header):
    """The name in front of the parameters in the text before a '{', or None."""
    depth = 0
    for m in re.finditer(r"[()]", header):
        if m.group() == ")":
            depth -= 1
            continue
        depth += 1
        if depth != 1:
            continue
        before = header[:m.start()].rstrip()
        operator = re.search(r"operator\s*(\S+|\(\s*\))$", before)
        word = re.search(r"(?:[\w~]+(?:<[^<>]*>)?::)*~?\w+$", before)
        if operator:
            return "operator" + (" " if operator[1][0].isalpha() else "") + operator[1]
        if before.endswith("operator"):
            return "operator()"
        if not word or word.group() in SKIPPED_CALLS:
            continue
        name = word.group()
        if re.fullmatch(r"(?:TYPED_)?TEST(?:_[FP])?", name):
            inner = header[m.end():].split(")")[0]
            name += "(" + re.sub(r"\s+", " ", inner).strip() + ")"
        return name
    return None


def opens_function(header):
    """Whether a '{' after this text, outside any function, opens a function's body. Returns
    (kind, name): kind is 'function', 'scope' (namespace, class), 'member' (an initialiser in a
    constructor's list: the header goes on) or 'other'."""
    text = re.sub(r"\[\[.*?\]\]", " ", header, flags=re.DOTALL).strip()
    if not text or NOT_FUNCTIONS.match(text.replace("\n", " ")):
        return "scope", None
    flat = re.sub(r"\s+", " ", text)
    outside = flat
    while True:                                   # what stands outside parentheses
        shorter = re.sub(r"\([^()]*\)", "@", outside)
        if shorter == outside:
            break
        outside = shorter
    outside = re.sub(r"operator\s*[^\s\w@]+", "operator_", outside)
    if "@" not in outside or re.search(r"(?<![=!<>])=(?![=>])", outside):
        return "other", None
    if re.search(r"@[^@]*(?<!:):(?!:)", outside) and re.search(r"[\w>]$", outside):
        if not re.search(r"\b(?:const|noexcept|override|final|try)$", outside):
            return "member", None
    return "function", function_name(flat)


def cpp_functions(code):
    """Every function of a C++ file, given its code without comments."""
    text = drop_preprocessor(code)
    found, stack, start = [], [], 0
    parens = 0                        # open parentheses in the header being read
    for m in re.finditer(r"[{}();]", text):
        c, at = m.group(), m.start()
        inside = bool(stack) and stack[-1][0] != "scope"
        if c == "(" and not inside:
            parens += 1
        elif c == ")" and not inside:
            parens = max(0, parens - 1)
        elif c == "{":
            kind, name = ("other", None)
            if not inside and parens == 0:
                kind, name = opens_function(text[start:at])
            begin = start + LEAD.match(text[start:at]).end()
            keep = inside or parens > 0 or kind == "member"     # the header is not over
            stack.append(("scope" if kind == "scope" else "inner" if keep else kind, name, begin))
            if not keep:
                start, parens = at + 1, 0
        elif c == "}" and stack:
            kind, name, begin = stack.pop()
            if kind == "function" and name:
                first = text.count("\n", 0, begin) + 1
                found.append(Function(name, first, text.count("\n", 0, at) + 2 - first))
            if kind != "inner":
                start, parens = at + 1, 0
        elif c == ";" and not inside and parens == 0:
            start = at + 1
    return found


def python_functions(text):
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return []
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return [Function(n.name, n.lineno, n.end_lineno - n.lineno + 1)
            for n in ast.walk(tree) if isinstance(n, kinds)]


class Source:
    """One file of the repository; everything derived is computed once, when asked for."""

    def __init__(self, root, path):
        self.root, self.path = root, path
        self.name = pathlib.PurePosixPath(path).name
        self.suffix = pathlib.PurePosixPath(path).suffix
        self.folder = str(pathlib.PurePosixPath(path).parent)

    @functools.cached_property
    def raw(self):
        return (self.root / self.path).read_bytes()

    @functools.cached_property
    def is_text(self):
        if b"\0" in self.raw[:8192]:
            return False
        try:
            self.raw.decode("utf-8")
        except UnicodeDecodeError:
            return False
        return True

    @functools.cached_property
    def text(self):
        return self.raw.decode("utf-8", "replace")

    @property
    def is_cpp(self):
        return self.suffix in CPP

    @functools.cached_property
    def is_python(self):
        return self.suffix == ".py" or bool(re.match(rb"#!.*\bpython", self.raw[:80]))

    @functools.cached_property
    def is_shell(self):
        return self.suffix == ".sh" or bool(re.match(rb"#!.*\b(ba|da)?sh\b", self.raw[:80]))

    @functools.cached_property
    def is_code(self):
        return self.is_cpp or self.is_python or self.is_shell

    @property
    def is_test(self):
        return bool(re.search(r"_test\.(cc|cu|py|sh)$", self.path)) or \
            self.path.startswith("tests/")

    @functools.cached_property
    def _split(self):
        return split_code(self.text)

    @property
    def code(self):
        return self._split[0]

    @property
    def comments(self):
        return self._split[1]

    @functools.cached_property
    def functions(self):
        if self.is_cpp and self.suffix != ".def":
            return cpp_functions(self.code)
        return python_functions(self.text) if self.is_python else []

    @functools.cached_property
    def includes(self):
        """[(line, name, quoted)] of the #include lines; quoted for "x", not for <x>."""
        found = []
        code = self.code.split("\n")
        for number, line in enumerate(self.text.split("\n"), 1):
            m = re.match(r'\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)', line)
            if m and code[number - 1].lstrip().startswith("#"):
                found.append((number, m[1] or m[2], m[1] is not None))
        return found

    @functools.cached_property
    def counts(self):
        """(code lines, lines that are only comment); blank lines are neither."""
        if self.is_cpp:
            code, comments = self.code.split("\n"), self.comments.split("\n")
            pairs = list(zip(code, comments))
            return (sum(1 for c, _ in pairs if c.strip()),
                    sum(1 for c, k in pairs if not c.strip() and k.strip()))
        lines = [line.strip() for line in self.text.split("\n") if line.strip()]
        comment = sum(1 for line in lines if line.startswith("#"))
        return len(lines) - comment, comment


def list_sources(root):
    """The files that git tracks or would add, as Source objects sorted by path."""
    out = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root, check=True, capture_output=True).stdout
    paths = sorted({p for p in out.decode().split("\0") if p})
    return [Source(root, p) for p in paths if (root / p).is_file()]
