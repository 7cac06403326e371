using System.Globalization;

namespace Notifications.Access;

/// <summary><c>Notifications token USER [--sender] [--hours=N]</c>: prints a token, for a try; an application issues its own.</summary>
internal static class TokenCommand
{
    private const string Usage = "Notifications token USER [--sender=true] [--hours=12] [--Notifications:TokenKey=KEY]";

    public static int Run(string[] args, TextWriter output, TextWriter errors)
    {
        var configuration = new ConfigurationBuilder().AddEnvironmentVariables().AddCommandLine([.. args.Skip(1)]).Build();
        var key = configuration[$"{NotificationsOptions.Section}:{nameof(NotificationsOptions.TokenKey)}"];
        var isNumber = double.TryParse(configuration["hours"] ?? "12", CultureInfo.InvariantCulture, out var hours);
        var problem = args is not [var userId, ..] || !Notification.IsUserId(userId) ? "Name a user."
            : key is not { Length: >= 32 } ? "Set Notifications:TokenKey (variable Notifications__TokenKey) to 32 characters or more, as for the consumer."
            : !isNumber || hours is not (> 0 and <= 24 * 365) ? "hours is a number above 0, at most 8760."
            : null;
        if (problem is not null)
        {
            errors.WriteLine($"{problem} {Usage}");
            return 2;
        }

        output.WriteLine(AccessToken.Create(key!, args[0], configuration["sender"] is "true", TimeSpan.FromHours(hours), TimeProvider.System));
        return 0;
    }
}
