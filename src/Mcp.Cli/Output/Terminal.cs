using System.Text;
using Mcp.Machine;
using Microsoft.Win32.SafeHandles;
using Spectre.Console;

namespace Mcp.Cli.Output;

/// <summary>Standard output and input without what .NET does to a terminal: it would switch the keypad (ESC [ ? 1 h) of everybody's
/// terminal at the first word.</summary>
internal sealed class Terminal : IAnsiConsoleOutput
{
    private const int Output = 1;
    private const int Error = 2;
    private const int UsualWidth = 80;
    private const int UsualHeight = 24;

    /// <summary>What is drawn over and over.</summary>
    public static readonly IAnsiConsole Console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new Terminal() });

    /// <summary>Null: whoever reads it is no terminal.</summary>
    public static (int Columns, int Rows)? Size =>
        System.Console.IsOutputRedirected ? null : Posix.TerminalSize(Output) ?? (UsualWidth, UsualHeight);

    public TextWriter Writer => System.Console.Out;

    public bool IsTerminal => !System.Console.IsOutputRedirected;

    public int Width => Size?.Columns ?? UsualWidth;

    public int Height => Size?.Rows ?? UsualHeight;

    /// <summary>Once, before anything is written.</summary>
    public static void Take()
    {
        System.Console.SetOut(Plain(OpenOutput()));
        System.Console.SetError(Plain(new StandardStream(Error)));
    }

    /// <summary>For bytes.</summary>
    public static Stream OpenOutput() => new StandardStream(Output);

    /// <summary>All of standard input, as it is.</summary>
    public static Stream OpenInput() => new FileStream(new SafeFileHandle(0, ownsHandle: false), FileAccess.Read, bufferSize: 0);

    /// <summary>A line that a person types; null: there is none. Given up as soon as the token says so.</summary>
    public static async Task<string?> ReadLineAsync(CancellationToken ct)
    {
        using var reader = new StreamReader(OpenInput());
        return await Task.Run(reader.ReadLine, ct).WaitAsync(ct);
    }

    public void SetEncoding(Encoding encoding)
    {
        // It is UTF-8.
    }

    private static TextWriter Plain(Stream stream) =>
        TextWriter.Synchronized(new StreamWriter(stream, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false)) { AutoFlush = true });
}
