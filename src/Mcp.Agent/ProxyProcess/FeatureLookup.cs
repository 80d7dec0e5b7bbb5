namespace Mcp.Agent.ProxyProcess;

/// <summary>Features of a request. <see cref="Microsoft.AspNetCore.Http.Features.IFeatureCollection.Get{TFeature}"/> is a generic virtual
/// method: code that was compiled ahead of time looks for it anew at each call.</summary>
internal static class FeatureLookup
{
    /// <summary>Null: it has none.</summary>
    public static T? Feature<T>(this HttpContext context)
        where T : class => (T?)context.Features[typeof(T)];
}
