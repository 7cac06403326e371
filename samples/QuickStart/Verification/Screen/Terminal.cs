using System.Text;
using Narad.Kafka;
using Spectre.Console;

namespace QuickStart.Verification.Screen;

/// <summary>Where the program reads from and writes to.</summary>
/// <param name="Input">Standard input.</param>
/// <param name="Output">Standard output.</param>
/// <param name="Error">Standard error.</param>
/// <param name="Ansi">Standard output again, drawn to: plain text where it is not a terminal.</param>
/// <param name="SharesError">Whether standard error goes to the same terminal as standard output.</param>
internal sealed record Terminal(Stream Input, TextWriter Output, TextWriter Error, IAnsiConsole Ansi, bool SharesError)
{
    public static Terminal Standard()
    {
        if (Console.IsOutputRedirected)
        {
            return new Terminal(Console.OpenStandardInput(), Console.Out, Console.Error, Plain(Console.Out), SharesError: false);
        }

        Console.OutputEncoding = Encoding.UTF8;
        return new Terminal(Console.OpenStandardInput(), Console.Out, Console.Error, AnsiConsole.Console, !Console.IsErrorRedirected);
    }

    /// <summary>Draws with text alone: no colours, no cursor.</summary>
    public static IAnsiConsole Plain(TextWriter output) => AnsiConsole.Create(new AnsiConsoleSettings
    {
        Ansi = AnsiSupport.No,
        ColorSystem = ColorSystemSupport.NoColors,
        Interactive = InteractionSupport.No,
        Out = new AnsiConsoleOutput(output),
    });

    /// <summary>A live table at a terminal, lines elsewhere; lines too where the library itself writes <c>[DEV]</c> lines between them.</summary>
    public IScreen Screen(KafkaMode mode) => Ansi.Profile.Capabilities.Interactive && mode is KafkaMode.Embedded or KafkaMode.Kafka
        ? new LiveScreen(Ansi, SharesError ? null : Error)
        : new PlainScreen(Output, Error, TimeSpan.FromSeconds(1));
}
