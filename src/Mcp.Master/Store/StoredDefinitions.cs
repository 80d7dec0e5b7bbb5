using Mcp.Model.Definition;
using Mcp.Model.Errors;
using Mcp.Model.Names;

namespace Mcp.Master.Store;

/// <summary>Reads the definitions that the master has written down, or that an agent keeps, with the rules of their day: one that this version cannot read concerns its own service and no other.</summary>
public static class StoredDefinitions
{
    /// <returns>Null: damaged, of a newer version that has values this one does not know, or another service's.</returns>
    public static StoredService? TryRead(Label service, string text)
    {
        try
        {
            return ServiceFile.ReadStored(text, "stored definition") is var stored && stored.Definition.Name == service ? stored : null;
        }
        catch (ServiceFileException)
        {
            return null;
        }
    }

    /// <exception cref="McpException">definition.unreadable</exception>
    public static StoredService Read(Label service, string text) => TryRead(service, text) ?? throw Unreadable(service);

    /// <summary>For who is about to send it to an agent, which would refuse or drop what it does not know either.</summary>
    /// <exception cref="McpException">definition.unreadable. definition.newer: names the keys.</exception>
    public static ServiceDefinition ReadWhole(Label service, string text)
    {
        var stored = Read(service, text);
        return stored.UnknownKeys.Count == 0
            ? stored.Definition
            : throw new McpException(
                ErrorCode.DefinitionNewer,
                $"the stored definition of {service} has keys that this version does not know: {string.Join(", ", stored.UnknownKeys)}",
                "it stays as it is; install the version that deployed it, or deploy its file again");
    }

    public static McpException Unreadable(Label service) => new(
        ErrorCode.DefinitionUnreadable,
        $"the stored definition of {service} cannot be read by this version",
        "what runs is left as it is; install the version that deployed it, deploy its file again, or undeploy it");
}
